/** Rebuilds of the read tables of all entities: what they find and mend, while others read and write. */
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import type { PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import type { Projections } from '../../src/projections/projections.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTablesStage } from './tables-stage.ts'

const stage = createTablesStage()
const { differences, rows, send, stream, tamper, user } = stage
let database: TestDatabase
let store: PgEventStore
let actors: ActorSystem
let projections: Projections
beforeEach(async () => {
  ;({ database, store, actors, projections } = await stage.open())
})
afterEach(() => stage.close())

describe('rebuild', () => {
  async function someHistory(users: number): Promise<void> {
    const ids = await Promise.all(Array.from({ length: users }, (_, n) => user(`user${n}`)))
    await Promise.all(ids.map((id, n) => stream(id, `key${n}`)))
    await Promise.all(ids.filter((_, n) => n % 5 === 0).map(id => send('user', id, { type: 'user.deleted' })))
    await actors.effectsIdle()
    await projections.caughtUp()
  }

  test('finds what was changed behind its back, and mends it', async () => {
    await someHistory(20)
    expect(await differences()).toEqual([])
    const [victim] = await rows('select min(id) as id from users')
    await tamper(`update users set username = 'intruder' where id = ${victim.id}`)
    await tamper('delete from streams where id = (select max(id) from streams)')
    await tamper(
      "insert into users (id, username, email, password_hash) select 1 + n, 'ghost', 'ghost@example.org', 'x' from (select 0 as n) s where not exists (select from users where id = 1)",
    )
    const found = await differences()
    expect(found.map(({ table, missing, different }) => ({ table, missing, different }))).toEqual([
      { table: 'users', missing: 0, different: 1 },
      { table: 'streams', missing: 1, different: 0 },
    ])
    expect(found[0]?.examples).toContain(victim.id)
    await rebuild({ store, pool: store.pool, entities, log: silentLogger })
    expect(await differences()).toEqual([])
    expect(await rows("select id from users where username = 'intruder'")).toEqual([])
  })

  test('leaves rows alone of which the log knows nothing', async () => {
    await someHistory(5)
    await tamper(
      "insert into users (id, username, email, password_hash) values (900000, 'unimported', 'unimported@example.org', 'x')",
    )
    const report = await rebuild({ store, pool: store.pool, entities, log: silentLogger })
    expect(report.tables.find(({ table }) => table === 'users')).toMatchObject({ unknown: 1, extra: 0 })
    expect(await rows("select id from users where username = 'unimported'")).toHaveLength(1)
  })

  test('readers see old rows or new ones, never something between; writers go on', async () => {
    await someHistory(40)
    await tamper("update users set display_name = 'old'")
    let reading = true
    const seen = new Set<string>()
    const reader = (async () => {
      const other = new pg.Client({ connectionString: database.url })
      await other.connect()
      while (reading)
        seen.add(
          JSON.stringify(
            (
              await other.query(
                "select count(*)::int as n, count(*) filter (where display_name = 'old')::int as old from users where id <= 100",
              )
            ).rows[0],
          ),
        )
      await other.end()
    })()
    const written = Promise.all(Array.from({ length: 20 }, (_, n) => user(`later${n}`)))
    await rebuild({ store, pool: store.pool, entities, log: silentLogger })
    await written
    reading = false
    await reader
    for (const view of seen) {
      const { n, old } = JSON.parse(view) as { n: number; old: number }
      expect([0, 32]).toContain(old)
      expect(n).toBeGreaterThanOrEqual(32)
    }
    await projections.caughtUp()
    expect(await differences()).toEqual([])
  })

  test('goes on where it was interrupted', async () => {
    await someHistory(10)
    const positions: number[] = []
    const interrupted = rebuild({
      store,
      pool: store.pool,
      entities,
      log: silentLogger,
      onProgress: ({ position }) => {
        positions.push(position)
        throw new Error('the power went')
      },
    })
    await expect(interrupted).rejects.toThrow('the power went')
    expect(await rows("select position > 0 as moved from projection_checkpoints where name = 'rebuild'")).toEqual([
      { moved: true },
    ])
    await user('Late')
    await tamper("update streams set name = 'tampered'")
    await rebuild({ store, pool: store.pool, entities, log: silentLogger })
    await projections.caughtUp()
    expect(await differences()).toEqual([])
    expect(await rows("select tablename from pg_tables where tablename like 'rebuild%'")).toEqual([])
  })

  test('two at once: the second is refused', async () => {
    await someHistory(5)
    const outcomes = await Promise.allSettled([
      rebuild({ store, pool: store.pool, entities, log: silentLogger }),
      rebuild({ store, pool: store.pool, entities, log: silentLogger }),
    ])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } })
  })
})
