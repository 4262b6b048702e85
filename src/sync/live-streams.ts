/** Which streams are live, as readers of 24.2 have been told, and what an event of the log changes in that. Pure bookkeeping. */
import type { LogEvent } from '../core/event.ts'
import { isWithin } from '../core/state.ts'
import type { LegacyChange } from './legacy-keys.ts'

export class LiveStreams {
  readonly #viewers = new Map<number, number>()
  /** Live ones whose viewers may be others than were told. */
  readonly #changed = new Set<number>()

  get ids(): readonly number[] {
    return [...this.#viewers.keys()]
  }

  /** Takes up to `limit` of the streams whose viewers have to be looked up. */
  takeChanged(limit: number): readonly number[] {
    const taken = [...this.#changed].slice(0, limit)
    for (const id of taken) this.#changed.delete(id)
    return taken
  }

  has(id: number): boolean {
    return this.#viewers.has(id)
  }

  /** Readers know of it already. */
  known(id: number): void {
    this.#viewers.set(id, this.#viewers.get(id) ?? 0)
    this.#changed.add(id)
  }

  /** It was never a stream of this log. */
  forget(id: number): void {
    this.#viewers.delete(id)
    this.#changed.delete(id)
  }

  /** What readers have to be told of the events, in their order. */
  apply(events: readonly LogEvent[]): readonly LegacyChange[] {
    const changes: LegacyChange[] = []
    for (const { actorType, actorId, type, state } of events) {
      if (actorType !== 'stream') continue
      const change = this.set(actorId, isWithin(state, ['live']))
      if (change !== undefined) changes.push(change)
      else if (this.has(actorId) && type.includes('viewer')) this.#changed.add(actorId)
    }
    return changes
  }

  /** Undefined where it changes nothing. */
  set(id: number, live: boolean): LegacyChange | undefined {
    if (live === this.has(id)) return undefined
    if (live) {
      this.known(id)
      return { kind: 'started', id, viewers: 0 }
    }
    this.forget(id)
    return { kind: 'ended', id }
  }

  /** Undefined where it ended meanwhile. */
  counted(id: number, viewers: number): LegacyChange | undefined {
    if (!this.has(id)) return undefined
    this.#viewers.set(id, viewers)
    return { kind: 'live', id, viewers }
  }

  /** Everything anew, for keys that would run out. */
  all(): readonly LegacyChange[] {
    return [...this.#viewers].map(([id, viewers]) => ({ kind: 'live', id, viewers }))
  }
}
