/** Rebuilds the read tables from the log beside the live ones, and merges the differences in one transaction. */
import { randomUUID } from 'node:crypto'
import { AppError } from '../core/errors.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import { toAppError } from '../eventstore/pg-errors.ts'
import { type Pool, type PoolClient, withTransaction } from '../eventstore/pool.ts'
import type { EntityDefinition } from '../machines/define.ts'
import {
  lockCheckpoint,
  makeCheckpoint,
  moveCheckpoint,
  READ_TABLES,
  readCheckpoint,
  removeCheckpoints,
} from './checkpoints.ts'
import { fingerprint } from './fingerprint.ts'
import { PAGE, PageProjector } from './page-projector.ts'
import { countParked, takeOverParked } from './parked-actors.ts'
import { isViewed, readTables, shadowTable, type Viewed } from './read-table.ts'
import { RebuildScan } from './rebuild-scan.ts'
import {
  analyzeShadow,
  compareTable,
  dropShadow,
  liftTimeLimit,
  makeShadow,
  mergeShadow,
  type TableDifference,
} from './shadow-tables.ts'
import { enterProjection, type Target } from './target.ts'

export interface RebuildProgress {
  /** About how far the log is folded; exact once the copy only catches up. */
  readonly position: number
  readonly head: number
  /** Events a second, since this run began. */
  readonly rate: number
}

export interface RebuildOptions {
  readonly store: EventStore
  readonly pool: Pool
  readonly entities: readonly EntityDefinition[]
  readonly log: Logger
  /** Compares and reports, and changes nothing. */
  readonly verifyOnly?: boolean
  /** Starts over where an earlier rebuild was interrupted, instead of going on. */
  readonly fresh?: boolean
  onProgress?(progress: RebuildProgress): void
}

export interface RebuildReport {
  /** How the tables differed before the merge. */
  readonly tables: readonly TableDifference[]
  /** The log up to here is what was compared. */
  readonly position: number
  /** Actors that could not be projected. After a rebuild they are the ones that are parked. */
  readonly failures: number
}

const REBUILD = 'rebuild'
// No actor type begins with a colon: these stand beside the checkpoints of the scan, one a type.
const RUN = `${REBUILD}/:run`
// Any constant of our own: whoever rebuilds this database holds it.
const LOCK = '7236112046019'
const CACHED_STATES = 100_000

/**
 * Goes on where an interrupted rebuild of the same code stopped. Readers see the old rows until the merge commits, then
 * the new ones. Throws AppError `conflict` while another rebuild runs, `log_unavailable`.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const session = await options.pool.connect().catch(error => {
    throw toAppError(error)
  })
  let broken: Error | undefined
  const onError = (error: Error) => {
    broken = error
    // The lock went with the session. It only is the polite way to refuse: what keeps two apart is the fence.
    options.log.warn({ error: error.message }, 'the connection that kept other rebuilds out was lost')
  }
  session.on('error', onError)
  try {
    const { rows } = await session.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK])
    if (rows[0]?.locked !== true)
      throw new AppError('conflict', 'Another rebuild is running. Nothing was changed; wait for it to end.')
    return await rebuildLocked(options)
  } catch (error) {
    throw toAppError(error)
  } finally {
    // Where this fails, closing the session gives the lock back, a moment later.
    await session.query('select pg_advisory_unlock($1)', [LOCK]).catch(error => {
      broken ??= error
    })
    session.off('error', onError)
    session.release(broken ?? false)
  }
}

/**
 * Drops the copies of a rebuild that was interrupted: nothing projects into them, so they would keep what the log has
 * erased since. One that is running is let be: it comes to the erasure by itself. Throws AppError `log_unavailable`, `missing_grant`.
 */
export function dropAbandonedRebuild(pool: Pool, entities: readonly EntityDefinition[]): Promise<void> {
  return withTransaction(pool, async client => {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1) as locked', [LOCK])
    if (rows[0]?.locked !== true || (await lockCheckpoint(client, REBUILD, 'wait')) === undefined) return
    await forget(client, entities.filter(isViewed))
  })
}

async function rebuildLocked(options: RebuildOptions): Promise<RebuildReport> {
  const { store, pool, entities, log, verifyOnly = false } = options
  const viewed = entities.filter(isViewed)
  const fence = `${RUN}/${randomUUID()}`
  const target: Target = {
    store,
    pool,
    entities: new Map(entities.map(entity => [entity.type, entity])),
    tables: readTables(entities, shadowTable),
    projection: REBUILD,
    durable: false,
    fence,
    log,
  }
  const from = await begin(options, viewed, fence)
  const projector = await fill(options, target, viewed, from)
  await withTransaction(pool, async client => {
    await liftTimeLimit(client)
    for (const entity of viewed) await analyzeShadow(client, entity)
  })

  return withTransaction(pool, async client => {
    await enterProjection(client, { ...target, durable: true })
    await liftTimeLimit(client)
    // From here the live tables stand still, and the copy, which is never behind them for long, is brought to where they are.
    const live = (await lockCheckpoint(client, READ_TABLES, 'wait')) ?? 0
    const position = await projector.advanceWithin(client, live)
    const tables: TableDifference[] = []
    for (const entity of viewed) {
      const difference = await compareTable(client, entity)
      tables.push(difference)
      const { missing, extra, different } = difference
      if (!verifyOnly && missing + extra + different > 0) await mergeShadow(client, entity)
    }
    if (!verifyOnly) {
      await takeOverParked(client, REBUILD, READ_TABLES, [...target.entities.keys()])
      await moveCheckpoint(client, READ_TABLES, position)
    }
    const failures = await countParked(client, verifyOnly ? REBUILD : READ_TABLES)
    await forget(client, viewed)
    return { tables, position, failures }
  })
}

/** Makes the copies, or finds those of an interrupted rebuild; answers the position where they start to catch up. */
async function begin(
  { store, pool, entities, log, ...options }: RebuildOptions,
  viewed: readonly Viewed[],
  fence: string,
): Promise<number> {
  const { verifyOnly = false, fresh = false } = options
  await makeCheckpoint(pool, READ_TABLES)
  const live = (await readCheckpoint(pool, READ_TABLES)) ?? 0
  // A verification compares at the position of the live tables; a rebuild brings them to the end of the log.
  const upTo = verifyOnly ? live : await store.head()
  const code = `${REBUILD}/:code/${fingerprint(entities)}`
  return withTransaction(pool, async client => {
    const left = await lockCheckpoint(client, REBUILD, 'wait')
    // Whoever worked on it before is out from here on.
    await removeCheckpoints(client, RUN)
    if (left !== undefined && !fresh) {
      const sameCode = (await readCheckpoint(client, code)) !== undefined
      if (sameCode && (!verifyOnly || left <= live)) {
        log.info({ position: left }, 'going on with the rebuild that was interrupted')
        await makeCheckpoint(client, fence)
        return left
      }
      log.info({ sameCode }, 'starting over: an interrupted rebuild was of other code, or is ahead of the read tables')
    }
    await liftTimeLimit(client)
    await forget(client, viewed)
    for (const entity of viewed) await makeShadow(client, entity)
    await makeCheckpoint(client, REBUILD, upTo)
    await makeCheckpoint(client, code)
    await makeCheckpoint(client, fence)
    return upTo
  })
}

/** Folds the log into the copies: actor by actor up to a position, and page by page from there on. */
async function fill(
  { store, pool, verifyOnly = false, onProgress }: RebuildOptions,
  target: Target,
  viewed: readonly Viewed[],
  from: number,
): Promise<PageProjector> {
  const started = performance.now()
  let done = 0
  const report = async (position: number, events: number) => {
    done += events
    if (onProgress === undefined) return
    const rate = Math.round((done * 1_000) / Math.max(1, performance.now() - started))
    onProgress({ position, head: Math.max(position, await store.head()), rate })
  }
  const scan = new RebuildScan(target, from, (events, scanned) => report(Math.min(scanned, from), events))
  await scan.run(viewed)

  const projector = new PageProjector(target, CACHED_STATES)
  const until = verifyOnly ? ((await readCheckpoint(pool, READ_TABLES)) ?? 0) : Number.MAX_SAFE_INTEGER
  for (;;) {
    const page = await projector.advance(until)
    if (page === undefined)
      throw new AppError('conflict', 'Another rebuild took over. Nothing was changed by this one.')
    await report(page.position, page.events)
    if (page.events < PAGE) return projector
  }
}

async function forget(client: PoolClient, viewed: readonly Viewed[]): Promise<void> {
  for (const entity of viewed) await dropShadow(client, entity)
  await removeCheckpoints(client, REBUILD)
  await client.query('delete from projection_failures where projection = $1', [REBUILD])
}
