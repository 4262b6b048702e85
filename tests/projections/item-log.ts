/** A database with the table of items and a log that tests write to directly, past actors and their refusals. */
import pg from 'pg'
import { actorId } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { Clock, Logger } from '../../src/core/ports.ts'
import { type ActorState, formatStateValue } from '../../src/core/state.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import type { Pool } from '../../src/eventstore/pool.ts'
import { silentLogger } from '../../src/logging.ts'
import { decide, eventDefinition, initialState, stamp } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { createProjections, type Projections } from '../../src/projections/projections.ts'
import { type RebuildOptions, type RebuildReport, rebuild } from '../../src/projections/rebuild.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { ITEMS_TABLE, item, note } from './item-entity.ts'

const AT = '2026-01-01T00:00:00.000Z'

export interface StartOptions {
  readonly entities?: readonly EntityDefinition[]
  readonly clock?: Clock
  readonly log?: Logger
  readonly store?: PgEventStore
  readonly pool?: Pool
}

export interface OpenTransaction {
  query(sql: string): Promise<unknown>
  end(how: 'commit' | 'rollback'): Promise<void>
}

export class ItemLog {
  readonly database: TestDatabase
  readonly store: PgEventStore
  /** A connection of the test's own. */
  readonly client: pg.Client
  readonly clock: ManualClock
  readonly #actors = new Map<string, { version: number; state: ActorState }>()
  readonly #stops: (() => Promise<void>)[] = []

  private constructor(database: TestDatabase, store: PgEventStore, client: pg.Client, clock: ManualClock) {
    this.database = database
    this.store = store
    this.client = client
    this.clock = clock
  }

  static async open(): Promise<ItemLog> {
    const database = await createTestDatabase()
    const clock = createManualClock()
    const store = await createPgEventStore({ url: database.url, node: 'test', clock, log: silentLogger })
    const client = new pg.Client({ connectionString: database.url })
    client.on('error', () => {})
    await client.connect()
    await client.query(ITEMS_TABLE)
    return new ItemLog(database, store, client, clock)
  }

  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop()
    await this.store.close()
    await this.client.end()
    await this.database.drop()
  }

  /** Events as the actor itself would write them, in one append. */
  async write(type: string, id: number, ...events: readonly ({ type: string } & JsonObject)[]): Promise<void> {
    const entity = type === 'note' ? note : item
    const known = this.#actors.get(`${type}/${id}`) ?? { version: 0, state: initialState(entity) }
    let { state } = known
    const stored = events.map(({ type: eventType, ...data }) => {
      const decision = decide(entity, state, stamp(eventType, AT, data))
      if (decision === undefined) throw new Error(`${eventType} is not allowed`)
      state = decision.state
      return {
        eventType,
        data,
        schemaVersion: eventDefinition(entity, eventType).version,
        text: formatStateValue(state.value),
      }
    })
    await this.#append(type, id, known.version, stored)
    this.#actors.set(`${type}/${id}`, { version: known.version + events.length, state })
  }

  /** An event as it is, whatever any code makes of it. */
  async writeRaw(
    type: string,
    id: number,
    event: { type: string; state?: string; schemaVersion?: number; data?: JsonObject },
  ): Promise<void> {
    const known = this.#actors.get(`${type}/${id}`) ?? { version: 0, state: initialState(item) }
    const { type: eventType, state: text = 'kept', schemaVersion = 1, data = {} } = event
    await this.#append(type, id, known.version, [{ eventType, data, schemaVersion, text }])
    this.#actors.set(`${type}/${id}`, { ...known, version: known.version + 1 })
  }

  async #append(
    type: string,
    id: number,
    expectedVersion: number,
    events: readonly { eventType: string; data: JsonObject; schemaVersion: number; text: string }[],
  ): Promise<void> {
    const { outcome } = await this.store.append({
      actor: { type, id: actorId(id) },
      expectedVersion,
      events: events.map(({ eventType, data, schemaVersion, text }) => ({
        type: eventType,
        schemaVersion,
        data,
        state: text,
        at: AT,
        userId: null,
        commandId: null,
        causation: null,
        correlation: null,
      })),
    })
    if (outcome !== 'appended') throw new Error(`the append was not taken: ${outcome}`)
  }

  async start(options: StartOptions = {}): Promise<Projections> {
    const { store = this.store, pool = this.store.pool, clock = this.clock } = options
    const { log = silentLogger, entities = [item, note] } = options
    const projections = createProjections({ store, pool, entities, clock, log })
    this.#stops.push(() => projections.stop())
    await projections.start()
    return projections
  }

  rebuild(options: Partial<RebuildOptions> = {}): Promise<RebuildReport> {
    return rebuild({
      store: this.store,
      pool: this.store.pool,
      entities: [item, note],
      log: silentLogger,
      ...options,
    })
  }

  /** What the log says the table holds, by the states this log led its actors to. */
  expectedRows(): readonly { id: number; name: string; size: number }[] {
    return [...this.#actors]
      .filter(([key, { state }]) => key.startsWith('item/') && state.value === 'kept')
      .map(([key, { state }]) => {
        const { name, size } = state.context as { name: string; size: number }
        return { id: Number(key.slice(5)), name, size }
      })
      .sort((a, b) => a.id - b.id)
  }

  /** Whether the item has ever been made, removed or not. */
  isMade(id: number): boolean {
    return this.#actors.has(`item/${id}`)
  }

  async rows(): Promise<readonly { id: number; name: string; size: number }[]> {
    return (await this.client.query('select id, name, size from items order by id')).rows
  }

  /** One more connection, for the test to end. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.database.url })
    client.on('error', () => {})
    await client.connect()
    return client
  }

  /** A transaction on a connection of its own, allowed to write read tables, that goes on until it is ended. */
  async transaction(sql: string): Promise<OpenTransaction> {
    const client = await this.connect()
    await client.query(`begin; select set_config('rootstream.projector', 'on', true); ${sql}`)
    return {
      query: statement => client.query(statement),
      end: async how => {
        await client.query(how)
        await client.end()
      },
    }
  }

  async query(sql: string): Promise<readonly Record<string, unknown>[]> {
    return (await this.client.query(sql)).rows
  }

  async checkpoint(name = 'read_tables'): Promise<number | undefined> {
    const { rows } = await this.client.query(
      'select position::int as position from projection_checkpoints where name = $1',
      [name],
    )
    return rows[0]?.position
  }

  /** Resolves when the condition of a query holds, asked again and again: for what another connection has yet to reach. */
  async until(condition: string): Promise<void> {
    for (;;) {
      const { rows } = await this.client.query(`select (${condition}) as holds`)
      if (rows[0]?.holds === true) return
    }
  }
}
