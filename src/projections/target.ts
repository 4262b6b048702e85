/** Read tables that move together, and how a transaction gets to write them. */
import { AppError } from '../core/errors.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import type { Pool, PoolClient } from '../eventstore/pool.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { holdCheckpoint } from './checkpoints.ts'
import type { ReadTable } from './read-table.ts'

export interface Target {
  readonly store: EventStore
  readonly pool: Pool
  readonly entities: ReadonlyMap<string, EntityDefinition>
  /** By actor type. */
  readonly tables: ReadonlyMap<string, ReadTable>
  /** Name of the checkpoint and of the failures. */
  readonly projection: string
  /** False where the work is done again if it is lost with the machine, so that a commit need not wait for the disk. */
  readonly durable: boolean
  /** Checkpoint that is there as long as nobody else has taken the tables over. */
  readonly fence?: string
  readonly log: Logger
}

/** Lets this transaction write read tables. Throws AppError `conflict` where somebody else has taken them over. */
export async function enterProjection(client: PoolClient, { durable, fence }: Target): Promise<void> {
  await client.query(
    durable
      ? "select set_config('rootstream.projector', 'on', true)"
      : "select set_config('rootstream.projector', 'on', true), set_config('synchronous_commit', 'off', true)",
  )
  if (fence !== undefined && !(await holdCheckpoint(client, fence)))
    throw new AppError(
      'conflict',
      'Another rebuild took over. Nothing was changed by this one; wait for the other to end.',
    )
}
