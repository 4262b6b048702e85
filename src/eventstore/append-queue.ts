/** Appends that wait for the log, and which of them may travel in one batch. */
import { AppError } from '../core/errors.ts'
import { formatActorRef } from '../core/ids.ts'
import type { Append, AppendOutcome } from '../core/ports.ts'

export interface WaitingAppend {
  readonly append: Append
  /** JSON of each event's data. */
  readonly data: readonly string[]
  /** Dot number of the first event; the others follow. The same whenever the append is sent. */
  readonly n: number
  readonly bytes: number
  resolve(outcome: AppendOutcome): void
  reject(error: unknown): void
}

export interface QueueBounds {
  readonly batchEvents: number
  readonly batchBytes: number
  readonly appends: number
  readonly bytes: number
}

export const QUEUE_BOUNDS: QueueBounds = {
  batchEvents: 1_000,
  batchBytes: 4 * 1024 * 1024,
  appends: 50_000,
  bytes: 64 * 1024 * 1024,
}
/** A hot actor may have thousands of appends here, of which one fits a batch: no more of the queue than this is looked through for it. */
const LOOK_THROUGH = 4

const NONE: readonly never[] = []

export class AppendQueue {
  readonly #bounds: QueueBounds
  #entries: WaitingAppend[] = []
  #bytes = 0

  constructor(bounds: QueueBounds = QUEUE_BOUNDS) {
    this.#bounds = bounds
  }

  get length(): number {
    return this.#entries.length
  }

  /** Throws AppError `overloaded` when too much waits. */
  refuseWhenFull(bytes: number): void {
    if (this.#entries.length < this.#bounds.appends && this.#bytes + bytes <= this.#bounds.bytes) return
    throw new AppError(
      'overloaded',
      'Too many appends wait for the log. This command was not taken; send it again later.',
    )
  }

  push(waiting: WaitingAppend): void {
    this.#entries.push(waiting)
    this.#bytes += waiting.bytes
  }

  /**
   * Takes the next batch from the head: each actor, command id and claim at most once, and no actor that another append
   * of the batch refers to. What collides keeps its turn, and so does everything behind it that collides with it. Empty
   * only when nothing waits.
   */
  nextBatch(): readonly WaitingAppend[] {
    const { batchEvents, batchBytes } = this.#bounds
    const batch: WaitingAppend[] = []
    const left: WaitingAppend[] = []
    const taken = new Set<string>()
    const referred = new Set<string>()
    let events = 0
    let bytes = 0
    let index = 0
    for (; index < this.#entries.length && index < LOOK_THROUGH * batchEvents; index++) {
      const waiting = this.#entries[index] as WaitingAppend
      const full = events + waiting.append.events.length > batchEvents || bytes + waiting.bytes > batchBytes
      if (full && batch.length > 0) break
      const keys = exclusiveKeys(waiting.append)
      const references = waiting.append.references?.map(formatActorRef) ?? NONE
      const free = keys.every(key => !taken.has(key) && !referred.has(key)) && !references.some(key => taken.has(key))
      // Also for what stays behind, so that an actor's later appends do not overtake it.
      for (const key of keys) taken.add(key)
      for (const key of references) referred.add(key)
      if (free) {
        batch.push(waiting)
        events += waiting.append.events.length
        bytes += waiting.bytes
      } else left.push(waiting)
    }
    this.#entries = index === this.#entries.length ? left : left.concat(this.#entries.slice(index))
    this.#bytes -= bytes
    return batch
  }
}

/** What may occur only once in a batch: `append_batch` decides all its appends on the same state of the log. */
function exclusiveKeys({ actor, events, claims = [], releases = [] }: Append): readonly string[] {
  const keys = [formatActorRef(actor)]
  for (const { commandId } of events) if (commandId !== null) keys.push(`command:${commandId}`)
  for (const { kind, key } of claims) keys.push(`claim:${kind}:${key}`)
  for (const { kind, key } of releases) keys.push(`claim:${kind}:${key}`)
  return keys
}
