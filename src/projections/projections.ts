/** Keeps the read tables at the end of the log: one runner at a time over all nodes, woken by commits, polling as the truth. */
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { Clock, EventStore, Logger, Service } from '../core/ports.ts'
import { type Pool, query, withTransaction } from '../eventstore/pool.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { PAGE, PageProjector } from './page-projector.ts'
import { enterProjection, liveTable } from './tables.ts'

export const READ_TABLES = 'read_tables'

export interface ProjectionFailure {
  readonly actorType: string
  readonly actorId: number
  /** Position of the event at which it was parked. */
  readonly position: number
  readonly error: string
  readonly failedAt: string
}

export interface ProjectionStatus {
  /** Everything up to here is in the read tables. */
  readonly position: number
  readonly head: number
  /** Positions between the two. */
  readonly lag: number
  /** Actors that could not be projected and are parked. */
  readonly failures: number
}

export interface Projections extends Service {
  /** Something was committed. */
  wake(): void
  /** Resolves when the read tables contain everything up to `position`, by default up to the end of the log now. */
  caughtUp(position?: number): Promise<void>
  status(): Promise<ProjectionStatus>
  failures(): Promise<readonly ProjectionFailure[]>
  /** Ids of rows whose column has the value, at most 10,000. Throws AppError `invalid_input` on a table or column of no view. */
  find(table: string, column: string, value: Json): Promise<readonly number[]>
  /** Folds a parked actor anew; true where it is projected again. */
  retry(actor: ActorRef): Promise<boolean>
}

export interface ProjectionsOptions {
  readonly store: EventStore
  readonly pool: Pool
  readonly entities: readonly EntityDefinition[]
  readonly clock: Clock
  readonly log: Logger
}

const POLL_MS = 3_000
/** While somebody waits and another node does the work, or after a failure. */
const SOON_MS = 50
const MAX_IDS = 10_000

export function createProjections(options: ProjectionsOptions): Projections {
  return new Runner(options)
}

interface Waiter {
  readonly position: number
  resolve(): void
  reject(error: unknown): void
}

class Runner implements Projections {
  readonly #options: ProjectionsOptions
  readonly #projector: PageProjector
  readonly #waiters = new Set<Waiter>()
  #position = 0
  #running: Promise<void> | undefined
  #again = false
  #started = false
  #stopped = false
  #cancel: () => void = () => {}

  constructor(options: ProjectionsOptions) {
    this.#options = options
    const { store, entities, log } = options
    this.#projector = new PageProjector({ store, entities, log, projection: READ_TABLES, table: liveTable })
  }

  async start(): Promise<void> {
    await query(this.#options.pool, {
      text: 'insert into projection_checkpoints (name) values ($1) on conflict do nothing',
      values: [READ_TABLES],
    })
    this.#started = true
    this.wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#running
    for (const waiter of this.#waiters)
      waiter.reject(
        new AppError('shutting_down', 'The node is stopping; the read tables catch up when one runs again.'),
      )
    this.#waiters.clear()
  }

  wake(): void {
    if (!this.#started || this.#stopped) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    this.#cancel()
    this.#running = this.#run()
  }

  async caughtUp(position?: number): Promise<void> {
    const target = position ?? (await this.#options.store.head())
    if (this.#position >= target) return
    if (this.#stopped)
      throw new AppError('shutting_down', 'The node is stopping; the read tables catch up when one runs again.')
    await new Promise<void>((resolve, reject) => {
      this.#waiters.add({ position: target, resolve, reject })
      this.wake()
    })
  }

  async status(): Promise<ProjectionStatus> {
    const { pool, store } = this.#options
    const [row] = await query<{ position: number; failures: number }>(pool, {
      name: 'projection_status',
      text: `
        select (select position from projection_checkpoints where name = $1) as position,
          (select count(*) from projection_failures where projection = $1) as failures`,
      values: [READ_TABLES],
    })
    const position = row?.position ?? 0
    const head = await store.head()
    return { position, head, lag: Math.max(0, head - position), failures: row?.failures ?? 0 }
  }

  async failures(): Promise<readonly ProjectionFailure[]> {
    const rows = await query<{
      actor_type: string
      actor_id: number
      position: number
      error: string
      failed_at: string
    }>(this.#options.pool, {
      text: 'select actor_type, actor_id, position, error, failed_at from projection_failures where projection = $1 order by failed_at limit 1000',
      values: [READ_TABLES],
    })
    return rows.map(row => ({
      actorType: row.actor_type,
      actorId: row.actor_id,
      position: row.position,
      error: row.error,
      failedAt: row.failed_at,
    }))
  }

  async find(table: string, column: string, value: Json): Promise<readonly number[]> {
    const view = this.#options.entities.find(entity => entity.view?.table === table)?.view
    const type = view !== undefined && Object.hasOwn(view.columns, column) ? view.columns[column] : undefined
    if (type === undefined)
      throw new AppError('invalid_input', `There is no column '${column}' in a read table '${table}'.`)
    const rows = await query<{ id: number }>(this.#options.pool, {
      text: `select id::bigint as id from ${table} where ${column} = $1::${type} order by id limit ${MAX_IDS}`,
      values: [value],
    })
    return rows.map(({ id }) => id)
  }

  async retry(actor: ActorRef): Promise<boolean> {
    const projected = await withTransaction(this.#options.pool, async client => {
      await enterProjection(client)
      return this.#projector.retry(client, actor)
    })
    // What is cached of the actor may be older than what was just folded.
    this.#projector.forget()
    return projected
  }

  async #run(): Promise<void> {
    let wait = POLL_MS
    do {
      this.#again = false
      wait = await this.#pass()
      this.#settleWaiters()
    } while (this.#again && !this.#stopped)
    this.#running = undefined
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(this.#waiters.size > 0 ? SOON_MS : wait, () => this.wake())
  }

  /** Projects until the end of the log; answers how long to wait before the next look. */
  async #pass(): Promise<number> {
    try {
      for (;;) {
        const result = await this.#page()
        if (result === undefined) {
          this.#position = (await this.status()).position
          return POLL_MS
        }
        this.#position = result.position
        if (result.events < PAGE || this.#stopped) return POLL_MS
        this.#settleWaiters()
      }
    } catch (error) {
      this.#projector.forget()
      this.#options.log.warn(
        { error: String(error) },
        'projecting was interrupted; nothing is lost, it goes on from its checkpoint',
      )
      return SOON_MS
    }
  }

  /** One page in one transaction; undefined while another node is at it. */
  async #page(): Promise<{ position: number; events: number } | undefined> {
    const result = await withTransaction(this.#options.pool, async client => {
      await enterProjection(client)
      const from = await this.#projector.lockCheckpoint(client, 'skip')
      if (from === undefined) return undefined
      const page = await this.#projector.page(client, from)
      if (page.events > 0) faultPoint('projection.before-commit')
      return page
    })
    if ((result?.events ?? 0) > 0) faultPoint('projection.committed')
    result?.committed()
    return result
  }

  #settleWaiters(): void {
    for (const waiter of this.#waiters)
      if (waiter.position <= this.#position) {
        this.#waiters.delete(waiter)
        waiter.resolve()
      }
  }
}
