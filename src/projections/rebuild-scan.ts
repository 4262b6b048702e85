/** The first part of a rebuild: folds every actor from its first event to a position, one after the other, and writes each row once. */
import type { RecordedEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import { withTransaction } from '../eventstore/pool.ts'
import { makeCheckpoint, moveCheckpoint, readCheckpoint } from './checkpoints.ts'
import { type FoldResult, foldOn } from './fold.ts'
import { Outcome, type Writing } from './outcome.ts'
import type { Viewed } from './read-table.ts'
import { readByActor } from './recorded-events.ts'
import { enterProjection, type Target } from './target.ts'
import { isPoison } from './write-rows.ts'

/** Beyond every id: the type is done. */
const DONE = Number.MAX_SAFE_INTEGER

/** An actor some of whose events may be still to come. */
interface OpenActor {
  readonly ref: ActorRef
  readonly result: FoldResult
}

/**
 * Folds by actor and not by position: each state is held while its events pass and is then done with, however many
 * actors there are. May be interrupted, and goes on after the last actor that was written.
 */
export class RebuildScan {
  readonly #target: Target
  readonly #upTo: number
  readonly #onChunk: (events: number, scanned: number) => Promise<void>
  #scanned = 0

  /**
   * @param upTo position of the last event that counts
   * @param onChunk told how many events were folded just now, and in all: by this run or one before it
   */
  constructor(target: Target, upTo: number, onChunk: (events: number, scanned: number) => Promise<void>) {
    this.#target = target
    this.#upTo = upTo
    this.#onChunk = onChunk
  }

  async run(entities: readonly Viewed[]): Promise<void> {
    const { pool } = this.#target
    await makeCheckpoint(pool, this.#countName)
    this.#scanned = (await readCheckpoint(pool, this.#countName)) ?? 0
    for (const entity of entities) {
      await makeCheckpoint(pool, this.#idName(entity))
      const afterId = (await readCheckpoint(pool, this.#idName(entity))) ?? 0
      if (afterId !== DONE) await this.#scan(entity, afterId)
    }
  }

  async #scan(entity: Viewed, afterId: number): Promise<void> {
    let open: OpenActor | undefined
    // Rows of one chunk are written while the next is folded.
    let writing: Promise<void> = Promise.resolve()
    for await (const events of readByActor(this.#target, entity.type, { afterId, upTo: this.#upTo })) {
      const done: OpenActor[] = []
      for (let start = 0; start < events.length; ) {
        const end = endOfActor(events, start)
        const own = events.slice(start, end)
        const id = (events[start] as RecordedEvent).actorId
        if (open !== undefined && open.ref.id !== id) {
          done.push(open)
          open = undefined
        }
        open = foldInto(entity, open, { type: entity.type, id }, own)
        start = end
      }
      this.#scanned += events.length
      await writing
      writing = this.#settle(entity, done, done.at(-1)?.ref.id)
      // Awaited a chunk later, and after the last one.
      writing.catch(() => {})
      await this.#onChunk(events.length, this.#scanned)
    }
    await writing
    await this.#settle(entity, open === undefined ? [] : [open], DONE)
  }

  /** Writes finished actors and the id up to which all are finished, in one transaction. */
  async #settle(entity: Viewed, done: readonly OpenActor[], id: number | undefined): Promise<void> {
    if (id === undefined) return
    try {
      await this.#write(entity, done, id, 'all')
    } catch (error) {
      if (!isPoison(error)) throw error
      await this.#write(entity, done, id, 'isolating')
    }
  }

  #write(entity: Viewed, done: readonly OpenActor[], id: number, writing: Writing): Promise<void> {
    const { pool, projection, tables, log } = this.#target
    return withTransaction(pool, async client => {
      await enterProjection(client, this.#target)
      const outcome = new Outcome(tables)
      for (const { result } of done) outcome.add(result)
      await outcome.write(client, projection, writing, log)
      await moveCheckpoint(client, this.#idName(entity), id)
      await moveCheckpoint(client, this.#countName, this.#scanned)
    })
  }

  /** Checkpoint of a type: the id up to which its actors are written. */
  #idName({ type }: Viewed): string {
    return `${this.#target.projection}/${type}`
  }

  // No actor type begins with a colon.
  get #countName(): string {
    return `${this.#target.projection}/:scanned`
  }
}

function endOfActor(events: readonly RecordedEvent[], start: number): number {
  const id = events[start]?.actorId
  let end = start + 1
  while (events[end]?.actorId === id) end++
  return end
}

/** What follows a failure of an actor is passed over. */
function foldInto(
  entity: Viewed,
  open: OpenActor | undefined,
  ref: ActorRef,
  events: readonly RecordedEvent[],
): OpenActor {
  if (open === undefined) return { ref, result: foldOn(entity, ref, undefined, events) }
  return open.result.failure === undefined ? { ref, result: foldOn(entity, ref, open.result.actor, events) } : open
}
