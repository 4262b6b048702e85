/** Keeps the read tables at the end of the log: one runner at a time over all nodes, woken by commits, polling as the truth. */
import { AppError } from '../core/errors.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { Clock, EventStore, Logger, Service } from '../core/ports.ts'
import type { Tracer } from '../core/tracing.ts'
import type { Pool } from '../eventstore/pool.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { makeCheckpoint, READ_TABLES, readCheckpoint } from './checkpoints.ts'
import { type Advance, PAGE, PageProjector } from './page-projector.ts'
import { countParked, listParked, type ProjectionFailure } from './parked-actors.ts'
import { type FlaggedTable, find, olderThan } from './queries.ts'
import { liveTable, readTables } from './read-table.ts'
import { dropAbandonedRebuild } from './rebuild.ts'
import { retryActor, retryAll } from './retry.ts'
import type { Target } from './target.ts'

export type { ProjectionFailure } from './parked-actors.ts'

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
  /** Another node has committed up to here and projects it itself. Where it does not within half a second or so, this one does. */
  heard(position: number): void
  /**
   * Resolves when the read tables contain everything up to `position`, by default up to the end of the log now.
   * Rejects with AppError `shutting_down` when the runner stops first.
   */
  caughtUp(position?: number): Promise<void>
  status(): Promise<ProjectionStatus>
  /** The first thousand, oldest first. */
  failures(): Promise<readonly ProjectionFailure[]>
  /** Ids of rows whose column has the value. Throws AppError `invalid_input` on a table or column of no view. */
  find(table: string, column: string, value: Json): Promise<readonly number[]>
  /** At most `limit` ids above `after`, ascending, of rows where the flag is true and the time lies before `before` (ISO 8601). */
  olderThan(columns: FlaggedTable, before: string, after: number, limit: number): Promise<readonly number[]>
  /** Folds a parked actor (or all of them) anew; true where none of those is parked any more. */
  retry(actor?: ActorRef): Promise<boolean>
  /** Copies of the read tables that nobody works on any more are dropped. */
  dropAbandonedRebuild(): Promise<void>
}

export interface ProjectionsOptions {
  readonly store: EventStore
  readonly pool: Pool
  readonly entities: readonly EntityDefinition[]
  readonly clock: Clock
  readonly log: Logger
  /** Absent where tracing is off. */
  readonly tracer?: Tracer | undefined
}

const POLL_MS = 3_000
/**
 * A pass costs as much as some twenty rows. Under load it begins so long after the one before, unless somebody waits, and what
 * was committed meanwhile shares its page.
 */
const GATHER_MS = 20
/** While somebody waits for what another node is doing. */
const SOON_MS = 50
/** Longer than a writer that lives takes, also a busy one; what it loses when it is killed is late by so much. */
const WRITER_PATIENCE_MS = 500
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
const CACHED_STATES = 50_000
const LISTED_FAILURES = 1_000

export function createProjections(options: ProjectionsOptions): Projections {
  return new Runner(options)
}

interface Waiter {
  /** Undefined until the end of the log is known. */
  position: number | undefined
  resolve(): void
  reject(error: unknown): void
}

class Runner implements Projections {
  readonly #options: ProjectionsOptions
  readonly #target: Target
  readonly #projector: PageProjector
  readonly #waiters = new Set<Waiter>()
  /** What this node knows of the checkpoint. */
  #position = 0
  #running: Promise<void> | undefined
  #again = false
  #failedPasses = 0
  #started = false
  #stopped = false
  #cancelNext: () => void = () => {}
  #begunAt = Number.NEGATIVE_INFINITY
  /** Whether what earlier starts had parked was tried with the code of this one. */
  #retried = false
  /** Last position that others told of. */
  #heard = 0
  #cancelLook: (() => void) | undefined
  #looking: Promise<void> | undefined

  constructor(options: ProjectionsOptions) {
    const { entities, store, pool, log } = options
    this.#options = options
    this.#target = {
      store,
      pool,
      entities: new Map(entities.map(entity => [entity.type, entity])),
      tables: readTables(entities, liveTable),
      projection: READ_TABLES,
      durable: true,
      log,
    }
    this.#projector = new PageProjector(this.#target, CACHED_STATES)
  }

  async start(): Promise<void> {
    await makeCheckpoint(this.#options.pool, READ_TABLES)
    this.#started = true
    this.wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelNext()
    this.#cancelLook?.()
    for (const waiter of this.#waiters) waiter.reject(stopping())
    this.#waiters.clear()
    await Promise.all([this.#running, this.#looking])
  }

  wake(): void {
    if (!this.#started || this.#stopped) return
    this.#again = true
    if (this.#running === undefined) this.#runAfter(this.#gathering())
  }

  heard(position: number): void {
    this.#heard = Math.max(this.#heard, position)
    if (!this.#started || this.#stopped || this.#cancelLook !== undefined || this.#heard <= this.#position) return
    const due = this.#heard
    this.#cancelLook = this.#options.clock.after(WRITER_PATIENCE_MS, () => {
      this.#cancelLook = undefined
      this.#looking = this.#lookAfter(due)
    })
  }

  async caughtUp(position?: number): Promise<void> {
    if (position !== undefined && position <= this.#position) return
    if (this.#stopped) throw stopping()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiters.add({ position, resolve, reject })
    this.wake()
    await promise
  }

  async status(): Promise<ProjectionStatus> {
    const { pool, store } = this.#options
    const [position = 0, head, failures] = await Promise.all([
      readCheckpoint(pool, READ_TABLES),
      store.head(),
      countParked(pool, READ_TABLES),
    ])
    return { position, head, lag: Math.max(0, head - position), failures }
  }

  failures(): Promise<readonly ProjectionFailure[]> {
    return listParked(this.#options.pool, READ_TABLES, LISTED_FAILURES)
  }

  find(table: string, column: string, value: Json): Promise<readonly number[]> {
    const { pool, entities } = this.#options
    return find(pool, entities, table, column, value)
  }

  olderThan(columns: FlaggedTable, before: string, after: number, limit: number): Promise<readonly number[]> {
    const { pool, entities } = this.#options
    return olderThan(pool, entities, columns, before, after, limit)
  }

  retry(actor?: ActorRef): Promise<boolean> {
    return actor === undefined ? retryAll(this.#target) : retryActor(this.#target, actor)
  }

  dropAbandonedRebuild(): Promise<void> {
    return dropAbandonedRebuild(this.#options.pool, this.#options.entities)
  }

  /** Wakes this runner where nobody has projected what was heard half a second ago: its writer may be gone. */
  async #lookAfter(due: number): Promise<void> {
    // Where the database does not answer, the next poll comes anyway.
    const position = await readCheckpoint(this.#options.pool, READ_TABLES).catch(() => undefined)
    if (position !== undefined && position < due) this.wake()
    this.#position = Math.max(this.#position, position ?? 0)
    if (this.#heard > due) this.heard(this.#heard)
  }

  #runAfter(ms: number): void {
    this.#cancelNext()
    if (ms > 0) this.#cancelNext = this.#options.clock.after(ms, () => this.#runAfter(0))
    else this.#running = this.#run()
  }

  /** Milliseconds until the next pass may begin; a clock that is set back makes it no more than ever. */
  #gathering(): number {
    if (this.#waiters.size > 0) return 0
    return Math.min(GATHER_MS, this.#begunAt + GATHER_MS - this.#options.clock.now())
  }

  /** Passes over the log until it may rest, and sees to it that there is a next time. */
  async #run(): Promise<void> {
    let wait: number
    do {
      this.#again = false
      this.#begunAt = this.#options.clock.now()
      wait = await this.#pass()
      // After a failure the next look comes in time, and finds whatever was committed meanwhile.
    } while (this.#again && this.#failedPasses === 0 && this.#gathering() <= 0 && !this.#stopped)
    // In the same step as the last look at `#again`, so that no wake falls between.
    this.#running = undefined
    if (!this.#stopped) this.#runAfter(this.#again && this.#failedPasses === 0 ? this.#gathering() : wait)
  }

  /** Projects to the end of the log; answers how long to wait before the next look. */
  async #pass(): Promise<number> {
    try {
      await this.#setGoals()
      // This may be the upgrade that they wait for.
      if (!this.#retried) await retryAll(this.#target, () => this.#stopped)
      this.#retried = true
      for (;;) {
        const page = await this.#advance()
        this.#position = page?.position ?? (await readCheckpoint(this.#options.pool, READ_TABLES)) ?? 0
        this.#failedPasses = 0
        this.#settleWaiters()
        if (page === undefined || page.events < PAGE || this.#stopped) return this.#waiters.size > 0 ? SOON_MS : POLL_MS
      }
    } catch (error) {
      // What the database lost with a crash, it may have to be told again.
      this.#position = 0
      const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failedPasses++)
      this.#options.log.warn(
        { error: String(error), retryInMs: wait },
        'projecting was interrupted; nothing is lost, it goes on from its checkpoint',
      )
      return wait
    }
  }

  async #advance(): Promise<Advance | undefined> {
    const span = this.#options.tracer?.projection()
    try {
      const page = await this.#projector.advance()
      if (page !== undefined) span?.folded({ from: page.from, to: page.position, events: page.events })
      return page
    } catch (error) {
      span?.failed(error)
      throw error
    }
  }

  async #setGoals(): Promise<void> {
    const open = [...this.#waiters].filter(({ position }) => position === undefined)
    if (open.length === 0) return
    const head = await this.#options.store.head()
    for (const waiter of open) waiter.position = head
  }

  #settleWaiters(): void {
    for (const waiter of this.#waiters)
      if (waiter.position !== undefined && waiter.position <= this.#position) {
        this.#waiters.delete(waiter)
        waiter.resolve()
      }
  }
}

function stopping(): AppError {
  return new AppError('shutting_down', 'The node is stopping; the read tables catch up when one runs again.')
}
