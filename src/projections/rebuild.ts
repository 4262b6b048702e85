/** Rebuilds the read tables from the log beside the live ones, and merges the differences in one transaction. */
import { AppError } from '../core/errors.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import { toAppError } from '../eventstore/pg-errors.ts'
import { type Pool, type PoolClient, withTransaction } from '../eventstore/pool.ts'
import type { EntityDefinition, View } from '../machines/define.ts'
import { PAGE, PageProjector } from './page-projector.ts'
import { READ_TABLES } from './projections.ts'
import {
  compareTable,
  createShadow,
  dropShadow,
  enterProjection,
  mergeShadow,
  shadowTable,
  type TableDifference,
} from './tables.ts'

export interface RebuildOptions {
  readonly store: EventStore
  readonly pool: Pool
  readonly entities: readonly EntityDefinition[]
  readonly log: Logger
  /** Compares and reports, and changes nothing. */
  readonly verifyOnly?: boolean
  /** Starts over where an earlier rebuild was interrupted, instead of going on. */
  readonly fresh?: boolean
  onProgress?(progress: { readonly position: number; readonly head: number }): void
}

export interface RebuildReport {
  /** How the tables differed before the merge. */
  readonly tables: readonly TableDifference[]
  /** The log up to here is what was compared. */
  readonly position: number
  /** Actors that could not be folded and stay parked. */
  readonly failures: number
}

const REBUILD = 'rebuild'
// Any constant of our own: whoever rebuilds this database holds it.
const LOCK = '7236112046019'

type Viewed = EntityDefinition & { readonly view: View }

/**
 * Resumes where an interrupted rebuild stopped. Readers see the old rows until the merge commits, then the new ones.
 * Throws AppError `conflict` while another rebuild runs, `log_unavailable`.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const { pool } = options
  const session = await pool.connect().catch(error => {
    throw toAppError(error)
  })
  try {
    const { rows } = await session.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK])
    if (rows[0]?.locked !== true)
      throw new AppError('conflict', 'Another rebuild is running. Nothing was changed; wait for it to end.')
    try {
      return await rebuildLocked(options)
    } finally {
      // At once: closing the session gives the lock back too, but only when the server has noticed.
      await session.query('select pg_advisory_unlock($1)', [LOCK])
    }
  } catch (error) {
    throw toAppError(error)
  } finally {
    session.release(true)
  }
}

async function rebuildLocked({
  store,
  pool,
  entities,
  log,
  verifyOnly = false,
  fresh = verifyOnly,
  onProgress,
}: RebuildOptions): Promise<RebuildReport> {
  const viewed = entities.filter((entity): entity is Viewed => entity.view !== undefined)
  const projector = new PageProjector({ store, entities, log, projection: REBUILD, table: shadowTable })
  await withTransaction(pool, async client => {
    if (fresh) await dropAll(client, viewed)
    for (const { view } of viewed) await createShadow(client, view)
    await client.query('insert into projection_checkpoints (name) values ($1), ($2) on conflict do nothing', [
      REBUILD,
      READ_TABLES,
    ])
  })

  // A verification compares at the position of the live tables; a rebuild brings them to the end of the log.
  const until = verifyOnly ? await livePosition(pool, '') : Number.MAX_SAFE_INTEGER
  for (;;) {
    const result = await withTransaction(pool, async client => {
      await enterProjection(client)
      return projector.page(client, (await projector.lockCheckpoint(client, 'wait')) ?? 0, until)
    })
    result.committed()
    onProgress?.({ position: result.position, head: Math.max(result.position, await store.head()) })
    if (result.events < PAGE) break
  }

  return withTransaction(pool, async client => {
    await enterProjection(client)
    // From here the live tables stand still: the copy is brought to exactly their position.
    const position = await meet(client, projector, await livePosition(client, 'for update'))
    const tables: TableDifference[] = []
    for (const { type, view } of viewed) tables.push(await compareTable(client, type, view))
    const failures = await client.query<{ count: number }>(
      'select count(*) as count from projection_failures where projection = $1',
      [REBUILD],
    )
    if (!verifyOnly) {
      for (const { type, view } of viewed) await mergeShadow(client, type, view)
      await client.query('delete from projection_failures where projection = $1', [READ_TABLES])
      await client.query('update projection_failures set projection = $2 where projection = $1', [REBUILD, READ_TABLES])
      await client.query('update projection_checkpoints set position = $2, updated_at = now() where name = $1', [
        READ_TABLES,
        position,
      ])
    }
    await dropAll(client, viewed)
    return { tables, position, failures: failures.rows[0]?.count ?? 0 }
  })
}

/** Brings the copy to the position of the live tables; answers the position of the copy, which is the later one where they lag. */
async function meet(client: PoolClient, projector: PageProjector, live: number): Promise<number> {
  for (;;) {
    const from = (await projector.lockCheckpoint(client, 'wait')) ?? 0
    if (from >= live) return from
    const result = await projector.page(client, from, live)
    result.committed()
    if (result.events === 0) return from
  }
}

async function livePosition(client: Pick<PoolClient, 'query'>, lock: '' | 'for update'): Promise<number> {
  const { rows } = await client.query<{ position: number }>(
    `select position from projection_checkpoints where name = $1 ${lock}`,
    [READ_TABLES],
  )
  return rows[0]?.position ?? 0
}

async function dropAll(client: PoolClient, viewed: readonly Viewed[]): Promise<void> {
  for (const { view } of viewed) await dropShadow(client, view)
  await client.query('delete from projection_checkpoints where name = $1', [REBUILD])
  await client.query('delete from projection_failures where projection = $1', [REBUILD])
}
