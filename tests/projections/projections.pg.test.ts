/** The read tables against the log: equal after every kind of history, interruption and rebuild. */
import fc from 'fast-check'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import { actorId, actorRef } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { createProjections, type Projections } from '../../src/projections/projections.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
let client: pg.Client
let store: PgEventStore
let actors: ActorSystem
let projections: Projections
const stops: (() => Promise<void>)[] = []

async function startProjections(): Promise<Projections> {
  const started = createProjections({ store, pool: store.pool, entities, clock: systemClock, log: silentLogger })
  stops.push(() => started.stop())
  await started.start()
  return started
}

beforeEach(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  // Tests cut connections, this one too.
  client.on('error', () => {})
  await client.connect()
  store = await createPgEventStore({ url: database.url, node: 'test', clock: systemClock, log: silentLogger })
  projections = await startProjections()
  actors = createActorSystem({
    store,
    entities,
    clock: systemClock,
    log: silentLogger,
    holder: 'test',
    readTables: {
      find: async (table, column, value, position) => {
        await projections.caughtUp(position)
        return projections.find(table, column, value)
      },
    },
  })
  await actors.start()
})

afterEach(async () => {
  await actors.stop()
  for (const stop of stops.splice(0)) await stop()
  await store.close()
  await client.end()
  await database.drop()
})

async function create(type: string, event: { type: string } & JsonObject): Promise<number> {
  const result = await actors.create(type, event)
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result.actor.id
}

async function send(type: string, id: number, event: { type: string } & JsonObject): Promise<void> {
  const result = await actors.actor(actorRef(type, id)).send(event)
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`)
}

const user = (name: string) =>
  create('user', {
    type: 'user.registered',
    username: name,
    email: `${name.toLowerCase()}@example.org`,
    passwordHash: 'h',
  })
const stream = (userId: number, key: string) =>
  create('stream', { type: 'stream.created', userId, name: key, streamKey: key })
const rows = async (sql: string) => (await client.query(sql)).rows

const verify = () => rebuild({ store, pool: store.pool, entities, log: silentLogger, verifyOnly: true })
const differences = async () =>
  (await verify()).tables.filter(({ missing, extra, different }) => missing + extra + different > 0)

/** Writes a read table as nobody but a projection may. */
async function tamper(sql: string): Promise<void> {
  await client.query('begin')
  await client.query("select set_config('rootstream.projector', 'on', true)")
  await client.query(sql)
  await client.query('commit')
}

describe('projecting', () => {
  test('a life of a user, a stream and its broadcast shows in the tables of 24.2', async () => {
    const ada = await user('Ada')
    const live = await stream(ada, 'k1')
    await send('stream', live, { type: 'stream.started', bitrateKbps: 6000 })
    for (let viewer = 0; viewer < 3; viewer++) await send('stream', live, { type: 'viewer.joined' })
    await send('stream', live, { type: 'viewer.left' })
    await actors.effectsIdle()
    await projections.caughtUp()
    expect(await rows('select username, is_active from users')).toEqual([{ username: 'Ada', is_active: true }])
    expect(await rows('select is_live, viewer_count, bitrate_kbps from streams')).toEqual([
      { is_live: true, viewer_count: 2, bitrate_kbps: 6000 },
    ])
    await send('stream', live, { type: 'stream.stopped', bytesSent: 123 })
    await actors.effectsIdle()
    await projections.caughtUp()
    expect(await rows('select is_live, viewer_count, ended_at is not null as ended from streams')).toEqual([
      { is_live: false, viewer_count: 0, ended: true },
    ])
    expect(
      await rows(
        'select stream_id, total_viewers, peak_viewers, total_bytes_sent::int, session_end > session_start as over from stream_sessions',
      ),
    ).toEqual([{ stream_id: live, total_viewers: 3, peak_viewers: 3, total_bytes_sent: 123, over: true }])
    expect(await rows('select event_type from usage_logs order by event_type')).toEqual([
      { event_type: 'stream_end' },
      { event_type: 'stream_start' },
    ])
    expect(await differences()).toEqual([])
  })

  test('a deleted user takes sessions, streams and billing along', async () => {
    const ada = await user('Ada')
    const own = await stream(ada, 'k1')
    await create('session', { type: 'session.created', userId: ada, tokenHash: 't', expiresAt: '2099-01-01T00:00:00Z' })
    await create('billing', { type: 'billing.opened', userId: ada })
    await send('user', ada, { type: 'user.deleted' })
    await actors.effectsIdle()
    await projections.caughtUp()
    expect(await rows('select id from users')).toEqual([])
    expect(await rows('select id from streams')).toEqual([])
    expect(await rows('select id from billing_accounts')).toEqual([])
    expect(await rows('select is_active from sessions')).toEqual([{ is_active: false }])
    expect((await actors.actor(actorRef('stream', own)).state()).state).toBe('deleted')
    expect(await differences()).toEqual([])
  })

  test('a name that passes from one actor to another within a page is no violation', async () => {
    const [ada, bob] = [await user('Ada'), await user('Bob')]
    await projections.caughtUp()
    await projections.stop()
    await send('user', ada, { type: 'user.updated', username: 'Carol' })
    await send('user', bob, { type: 'user.updated', username: 'Ada' })
    await send('user', ada, { type: 'user.updated', displayName: 'C' })
    projections = await startProjections()
    await projections.caughtUp()
    expect(await rows('select username from users order by id')).toEqual([{ username: 'Carol' }, { username: 'Ada' }])
    expect(await projections.failures()).toEqual([])
  })

  test('two runners share the work, and what one missed the other has done', async () => {
    const second = await startProjections()
    const ids = await Promise.all(Array.from({ length: 30 }, (_, n) => user(`user${n}`)))
    await Promise.all([projections.caughtUp(), second.caughtUp()])
    expect(await rows('select id from users')).toHaveLength(ids.length)
    expect(await differences()).toEqual([])
  })

  test('connections that are cut cost nothing but time', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => user(`u${round}-${n}`)))
      await client.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      projections.wake()
    }
    await projections.caughtUp()
    expect(await rows('select count(*)::int as n from users')).toEqual([{ n: 100 }])
    expect(await projections.failures()).toEqual([])
    expect(await differences()).toEqual([])
  })

  test('finds ids by a column of a view, and by nothing else', async () => {
    const ada = await user('Ada')
    const own = await stream(ada, 'k1')
    await projections.caughtUp()
    expect(await projections.find('streams', 'user_id', ada)).toEqual([own])
    await expect(projections.find('streams', 'user_id; drop table users', ada)).rejects.toMatchObject({
      code: 'invalid_input',
    })
    await expect(projections.find('pg_authid', 'rolname', 'x')).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

describe('poison', () => {
  /** An event that no version of the code would take, as a bug of another release might have written it. */
  async function writePoison(id: number, version: number, type = 'user.unheard'): Promise<void> {
    const event = {
      type,
      schemaVersion: 1,
      data: {},
      state: 'active',
      at: new Date().toISOString(),
      userId: null,
      commandId: null,
      causation: null,
      correlation: null,
    }
    await store.append({ actor: { type: 'user', id: actorId(id) }, expectedVersion: version, events: [event] })
  }

  test('parks its actor; the others go on, and a retry after the cure brings it back', async () => {
    const [ada, bob] = [await user('Ada'), await user('Bob')]
    await projections.caughtUp()
    await writePoison(ada, 1)
    await send('user', bob, { type: 'user.updated', displayName: 'Bobby' })
    await projections.caughtUp()
    expect(await rows('select display_name from users order by id')).toEqual([
      { display_name: null },
      { display_name: 'Bobby' },
    ])
    const [parked] = await projections.failures()
    expect(parked).toMatchObject({ actorType: 'user', actorId: ada })
    expect(parked?.error).toContain('user.unheard')
    expect((await projections.status()).failures).toBe(1)
    expect(await projections.retry(actorRef('user', ada))).toBe(false)
    // The cure of a release would be code; here the event is made into one the code knows.
    await client.query(
      "set rootstream.rewrite_history = 'on'; update events set type = 'user.verified' where type = 'user.unheard'",
    )
    expect(await projections.retry(actorRef('user', ada))).toBe(true)
    expect(await rows(`select is_verified from users where id = ${ada}`)).toEqual([{ is_verified: true }])
    expect(await projections.failures()).toEqual([])
  })

  test('a row that the table refuses parks its actor alone', async () => {
    const [ada, bob] = [await user('Ada'), await user('Bob')]
    await projections.caughtUp()
    await projections.stop()
    await client.query("alter table users add constraint no_zoe check (username <> 'Zoe')")
    await send('user', ada, { type: 'user.updated', username: 'Zoe' })
    await send('user', bob, { type: 'user.updated', username: 'Yan' })
    projections = await startProjections()
    await projections.caughtUp()
    expect((await projections.failures()).map(failure => failure.actorId)).toEqual([ada])
    expect(await rows(`select username from users where id = ${bob}`)).toEqual([{ username: 'Yan' }])
    await client.query('alter table users drop constraint no_zoe')
    await rebuild({ store, pool: store.pool, entities, log: silentLogger })
    expect(await rows('select username from users order by id')).toEqual([{ username: 'Zoe' }, { username: 'Yan' }])
    expect(await projections.failures()).toEqual([])
  })
})

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

test('after any commands the tables are what a rebuild gives', async () => {
  const ids = [await user('p1'), await user('p2'), await user('p3')]
  const streams = [await stream(ids[0] ?? 0, 's1'), await stream(ids[1] ?? 0, 's2')]
  const userEvent = fc.constantFrom(
    { type: 'user.updated', displayName: 'x' },
    { type: 'user.verified' },
    { type: 'user.deactivated' },
    { type: 'user.reactivated' },
    { type: 'user.login.recorded' },
  )
  const streamEvent = fc.constantFrom(
    { type: 'stream.started', fps: 60 },
    { type: 'stream.stopped' },
    { type: 'viewer.joined' },
    { type: 'viewer.left' },
    { type: 'stream.viewers.updated', viewers: 9 },
    { type: 'stream.renamed', name: 'y' },
  )
  const command = fc.oneof(
    fc.record({ type: fc.constant('user'), id: fc.constantFrom(...ids), event: userEvent }),
    fc.record({ type: fc.constant('stream'), id: fc.constantFrom(...streams), event: streamEvent }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 30 }), async commands => {
      await Promise.all(commands.map(({ type, id, event }) => actors.actor(actorRef(type, id)).send(event)))
      await actors.effectsIdle()
      await projections.caughtUp()
      expect(await differences()).toEqual([])
    }),
    { numRuns: 15 },
  )
}, 120_000)
