/** What folding comes to: rows to write and actors to park. */
import type { Logger } from '../core/ports.ts'
import type { PoolClient } from '../eventstore/pool.ts'
import type { Failure, FoldResult } from './fold.ts'
import { park } from './parked-actors.ts'
import type { ReadTable } from './read-table.ts'
import { type ActorRow, writeIsolating, writeRows } from './write-rows.ts'

/** `all` throws on a row that cannot be written; `isolating` parks its actor, at the price of a savepoint. */
export type Writing = 'all' | 'isolating'

export class Outcome {
  readonly rows: ActorRow[] = []
  readonly failures: Failure[] = []
  readonly #tables: ReadonlyMap<string, ReadTable>

  constructor(tables: ReadonlyMap<string, ReadTable>) {
    this.#tables = tables
  }

  /** An actor that failed on the way shows as of its last good event. */
  add({ actor, failure }: FoldResult): void {
    if (failure !== undefined) this.failures.push(failure)
    const table = actor === undefined ? undefined : this.#tables.get(actor.entity.type)
    if (actor === undefined || table === undefined) return
    const { entity, ref, state, position } = actor
    try {
      this.rows.push({ actor, table, row: entity.view.row(ref.id, state) })
    } catch (error) {
      this.failures.push({ ref, position, error: String(error) })
    }
  }

  /** Writes the rows and parks the actors that failed, now or before. */
  async write(client: PoolClient, projection: string, writing: Writing, log: Logger): Promise<void> {
    if (writing === 'isolating') this.failures.push(...(await writeIsolating(client, this.rows)))
    else await writeRows(client, this.rows)
    await park(client, projection, this.failures, log)
  }
}
