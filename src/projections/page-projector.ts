/** Moves a set of read tables and their checkpoint forward by one page of the log, inside the caller's transaction. */
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import { isConnectionLoss } from '../eventstore/pg-errors.ts'
import type { PoolClient } from '../eventstore/pool.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { type FoldedActor, type FoldFailure, foldPage, StateCache, tableChanges } from './fold-page.ts'
import { type TableName, writeChange } from './tables.ts'

export const PAGE = 5_000
/** States kept between pages, about half a kilobyte each. */
const CACHED_STATES = 100_000

export interface PageProjectorOptions {
  readonly store: EventStore
  readonly entities: readonly EntityDefinition[]
  readonly log: Logger
  /** Name of its checkpoint and its failures. */
  readonly projection: string
  readonly table: TableName
}

export interface PageResult {
  /** The page holds what came after this position … */
  readonly from: number
  /** … up to this one. */
  readonly position: number
  readonly events: number
  /** To be called when the transaction has committed. */
  committed(): void
}

export class PageProjector {
  readonly #options: PageProjectorOptions
  readonly #entities: ReadonlyMap<string, EntityDefinition>
  readonly #cache = new StateCache(CACHED_STATES)

  constructor(options: PageProjectorOptions) {
    this.#options = options
    this.#entities = new Map(options.entities.map(entity => [entity.type, entity]))
  }

  /** The checkpoint, locked for this transaction; undefined while another runner has it. */
  async lockCheckpoint(client: PoolClient, whenBusy: 'wait' | 'skip'): Promise<number | undefined> {
    const { rows } = await client.query<{ position: number }>(
      `select position from projection_checkpoints where name = $1 for update ${whenBusy === 'skip' ? 'skip locked' : ''}`,
      [this.#options.projection],
    )
    return rows[0]?.position
  }

  /** Projects the page after `from`, up to `until` at the most. The caller holds the checkpoint and commits. */
  async page(client: PoolClient, from: number, until: number = Number.MAX_SAFE_INTEGER): Promise<PageResult> {
    const { store, projection } = this.#options
    const read = await store.readAll(from, PAGE)
    const events = read.filter(({ position }) => position <= until)
    const position = events.at(-1)?.position ?? from
    if (events.length === 0) return { from, position, events: 0, committed: () => {} }

    const parked = await this.#parked(client)
    const folded = await foldPage(events, this.#entities, this.#cache, store, parked)
    const written = await this.#write(client, folded.actors)
    for (const failure of [...folded.failures, ...written.failures]) await this.#park(client, failure, position)
    await client.query({
      name: 'move_checkpoint',
      text: 'update projection_checkpoints set position = $2, updated_at = now() where name = $1',
      values: [projection, position],
    })
    return { from, position, events: events.length, committed: () => this.#cache.keep(written.actors) }
  }

  /** Folds one actor from its beginning and writes its row, for a retry of what was parked. */
  async retry(client: PoolClient, ref: ActorRef): Promise<boolean> {
    const { store, projection } = this.#options
    const checkpoint = (await this.lockCheckpoint(client, 'wait')) ?? 0
    await client.query('delete from projection_failures where projection = $1 and actor_type = $2 and actor_id = $3', [
      projection,
      ref.type,
      ref.id,
    ])
    const events = (await Array.fromAsync(store.readStream(ref)))
      .flat()
      .filter(({ position }) => position <= checkpoint)
    const folded = await foldPage(events, this.#entities, new StateCache(1), store, new Set())
    const written = await this.#write(client, folded.actors)
    const failures = [...folded.failures, ...written.failures]
    for (const failure of failures) await this.#park(client, failure, checkpoint)
    return failures.length === 0
  }

  forget(): void {
    this.#cache.clear()
  }

  async #write(
    client: PoolClient,
    actors: ReadonlyMap<string, FoldedActor>,
  ): Promise<{ actors: ReadonlyMap<string, FoldedActor>; failures: readonly FoldFailure[] }> {
    const { changes, failures } = tableChanges(actors.values())
    if (failures.length === 0) {
      await client.query('savepoint page')
      try {
        for (const change of changes) await writeChange(client, this.#options.table, change)
        // Unique names are checked at the end, so that actors may exchange them within a page.
        await client.query('set constraints all immediate')
        await client.query('release savepoint page; set constraints all deferred')
        return { actors, failures: [] }
      } catch (error) {
        if (isConnectionLoss(error)) throw error
        await client.query('rollback to savepoint page; release savepoint page')
      }
    }
    return this.#writeOneByOne(client, actors)
  }

  /** Some row cannot be written: finds out which, with all rows of the page out of the way, so that none blocks another by its old name. */
  async #writeOneByOne(
    client: PoolClient,
    actors: ReadonlyMap<string, FoldedActor>,
  ): Promise<{ actors: ReadonlyMap<string, FoldedActor>; failures: readonly FoldFailure[] }> {
    const good = new Map<string, FoldedActor>()
    const failures: FoldFailure[] = []
    for (const { entity, ref } of actors.values())
      if (entity.view !== undefined)
        await writeChange(client, this.#options.table, { view: entity.view, rows: [], gone: [ref.id] })
    for (const [key, actor] of actors) {
      await client.query('savepoint actor')
      try {
        const { changes, failures: broken } = tableChanges([actor])
        if (broken[0] !== undefined) throw new Error(broken[0].error)
        for (const change of changes) await writeChange(client, this.#options.table, change)
        await client.query('set constraints all immediate')
        await client.query('release savepoint actor; set constraints all deferred')
        good.set(key, actor)
      } catch (error) {
        if (isConnectionLoss(error)) throw error
        await client.query('rollback to savepoint actor; release savepoint actor')
        failures.push({ ref: actor.ref, position: 0, error: String(error) })
      }
    }
    return { actors: good, failures }
  }

  async #parked(client: PoolClient): Promise<ReadonlySet<string>> {
    const { rows } = await client.query<{ actor: string }>({
      name: 'parked',
      text: "select actor_type || '/' || actor_id as actor from projection_failures where projection = $1",
      values: [this.#options.projection],
    })
    return new Set(rows.map(({ actor }) => actor))
  }

  async #park(client: PoolClient, { ref, position, error }: FoldFailure, page: number): Promise<void> {
    this.#options.log.error(
      { actor: formatActorRef(ref), projection: this.#options.projection, error },
      'an actor could not be projected; it is parked and the others go on',
    )
    await client.query(
      `insert into projection_failures (projection, actor_type, actor_id, position, error) values ($1, $2, $3, $4, $5)
       on conflict (projection, actor_type, actor_id) do update set position = excluded.position, error = excluded.error, failed_at = now()`,
      [this.#options.projection, ref.type, ref.id, position || page, error.slice(0, 2_000)],
    )
  }
}
