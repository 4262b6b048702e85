/** Reads a log that is not this node's: nothing is written to it, and it may be at an older schema than this code. */
import { AppError } from '../core/errors.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import { refuseForeignSchema } from './migrate.ts'
import { createPool, type Pool, query } from './pool.ts'
import * as reads from './reads.ts'
import { loadSnapshot } from './records.ts'

export interface LogReader extends Pick<EventStore, 'readStream' | 'listActors' | 'loadSnapshot' | 'head' | 'close'> {
  /** Types of which the log has actors. */
  actorTypes(): Promise<readonly string[]>
  /** The newest migration the database has. */
  readonly migration: number
}

/** Without these a history cannot be replayed; what else an older log lacks reads as null. */
const NEEDED = ['position', 'actor_type', 'actor_id', 'version', 'type', 'schema_version', 'data', 'state', 'at']

/**
 * Opens a log for reading alone: the server refuses each write of its sessions.
 * Throws AppError `schema_mismatch` where it is no log, a newer one or too old a one; `log_unavailable`, `setup_failed`, `missing_grant`.
 */
export async function createLogReader({ url, log }: { url: string; log: Logger }): Promise<LogReader> {
  const pool = createPool({ url, log, readOnly: true })
  try {
    const { columns, hasSnapshots, migration } = await inspect(pool)
    return {
      migration,
      readStream: (actor, range) => reads.readStream(pool, actor, range, columns),
      listActors: (type, after, limit) => reads.listActors(pool, type, after, limit),
      loadSnapshot: async actor => (hasSnapshots ? loadSnapshot(pool, actor) : undefined),
      head: () => reads.head(pool),
      actorTypes: () => reads.actorTypes(pool),
      close: () => pool.end(),
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}

async function inspect(pool: Pool): Promise<{ columns: string; hasSnapshots: boolean; migration: number }> {
  const [found] = await query<{ columns: string[] | null; migrations: boolean; snapshots: boolean; read_only: string }>(
    pool,
    {
      text: `select
        (select array_agg(attname::text) from pg_attribute
          where attrelid = to_regclass('events') and attnum > 0 and not attisdropped) as columns,
        exists (select from pg_attribute
          where attrelid = to_regclass('schema_migrations') and attname = 'checksum') as migrations,
        to_regclass('actor_snapshots') is not null as snapshots,
        current_setting('default_transaction_read_only') as read_only`,
    },
  )
  // A pooler between here and the server may drop what a session asks for.
  if (found?.read_only !== 'on')
    throw new AppError(
      'setup_failed',
      'The session could not be made read only, so nothing was read. Connect to the server itself, not through a pooler that drops options.',
    )
  const has = new Set(found.columns)
  if (!found.migrations || has.size === 0)
    throw new AppError(
      'schema_mismatch',
      'The database is not a RootStream log: it has no events that a migration of ours made. Nothing was changed. Check the address; a 24.2 database gets its log by: rootstream import',
    )
  const migration = await refuseForeignSchema(pool)
  const missing = NEEDED.filter(column => !has.has(column))
  if (missing.length > 0)
    throw new AppError(
      'schema_mismatch',
      `The log is too old to be replayed (migration ${migration}): events has no ${missing.join(', ')}. Nothing was changed. Replay a copy of it after: rootstream migrate`,
    )
  return { columns: reads.columnsOf(has), hasSnapshots: found.snapshots, migration }
}
