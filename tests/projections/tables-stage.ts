/** All entities, a log, and the read tables that are kept at its end: made anew for each test. */
import pg from 'pg'
import type { ActorSystem } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { createProjections, type Projections } from '../../src/projections/projections.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

/** What tests call is of what `open` has opened last. */
export function createTablesStage() {
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
    projections = started
    return started
  }

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

  return {
    ...{ startProjections, create, send, user, stream, rows, verify, differences, tamper },
    open: async () => {
      database = await createTestDatabase()
      client = new pg.Client({ connectionString: database.url })
      // Tests cut connections, this one too.
      client.on('error', () => {})
      await client.connect()
      store = await createPgEventStore({ url: database.url, node: 'test', clock: systemClock, log: silentLogger })
      await startProjections()
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
      return { database, client, store, actors, projections }
    },
    close: async () => {
      await actors.stop()
      for (const stop of stops.splice(0)) await stop()
      await store.close()
      await client.end()
      await database.drop()
    },
  }
}
