/** What this node has accepted beside the log and not brought there yet, as others are told of it. */

import { sourceOf } from '../core/source.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import type { Range, Shared, Standing } from './message.ts'

export class Own {
  readonly #self: string
  /** By n, in order: numbers are given out as the journal is written. */
  readonly #pending = new Map<number, JournalEntry>()
  /** Of earlier starts: source → how many. */
  readonly #prior = new Map<string, number>()
  #last = 0

  constructor(self: string) {
    this.#self = self
  }

  get pending(): number {
    return this.#pending.size
  }

  add(entry: JournalEntry): Shared {
    const after = this.#last
    this.#pending.set(entry.n, entry)
    this.#last = Math.max(this.#last, entry.n)
    return { entry, after: after < entry.n ? after : 0 }
  }

  restore(entry: JournalEntry): void {
    const source = sourceOf(entry)
    this.#prior.set(source, (this.#prior.get(source) ?? 0) + 1)
  }

  /** False where others were never told of it. */
  settle(entry: JournalEntry): boolean {
    const source = sourceOf(entry)
    if (source === this.#self) return this.#pending.delete(entry.n)
    const left = (this.#prior.get(source) ?? 0) - 1
    if (left > 0) this.#prior.set(source, left)
    else this.#prior.delete(source)
    return false
  }

  /** Those above n, at most so many. */
  after(n: number, limit: number): readonly Shared[] {
    const missed: Shared[] = []
    let after = 0
    for (const entry of this.#pending.values()) {
      if (missed.length >= limit) break
      if (entry.n > n) missed.push({ entry, after })
      after = entry.n
    }
    return missed
  }

  standing(): Pick<Standing, 'pending' | 'last' | 'prior'> {
    const ranges: [number, number][] = []
    for (const n of this.#pending.keys()) {
      const range = ranges.at(-1)
      if (range !== undefined && range[1] + 1 === n) range[1] = n
      else ranges.push([n, n])
    }
    return { pending: ranges as readonly Range[], last: this.#last, prior: [...this.#prior.keys()] }
  }
}
