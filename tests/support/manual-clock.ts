/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/core/ports.ts'

export interface ManualClock extends Clock {
  /** Moves time on. What falls due runs in order of due time, then of registration, each at its own `now()`; also what those callbacks set. */
  advance(ms: number): void
  /** Moves time to the next due callback and runs it alone; false where none waits. */
  runNext(): boolean
  /** Callbacks that wait. */
  readonly pending: number
  /** When the next callback is due. */
  readonly nextAt: number | undefined
}

interface Waiting {
  readonly at: number
  readonly callback: () => void
}

/** @param start milliseconds since the epoch, or ISO 8601 */
export function createManualClock(start: number | string = '2026-01-01T00:00:00.000Z'): ManualClock {
  let now = typeof start === 'string' ? Date.parse(start) : start
  if (!Number.isFinite(now)) throw new RangeError(`not a time: ${start}`)
  const waiting = new Set<Waiting>()

  // The set keeps the order of registration, so the first of the earliest wins a tie.
  const next = () => {
    let first: Waiting | undefined
    for (const entry of waiting) if (first === undefined || entry.at < first.at) first = entry
    return first
  }
  const run = (entry: Waiting) => {
    waiting.delete(entry)
    now = Math.max(now, entry.at)
    entry.callback()
  }

  return {
    now: () => now,
    after(ms, callback) {
      const entry = { at: now + Math.max(0, ms), callback }
      waiting.add(entry)
      return () => void waiting.delete(entry)
    },
    advance(ms) {
      const end = now + ms
      for (let entry = next(); entry !== undefined && entry.at <= end; entry = next()) run(entry)
      now = end
    },
    runNext() {
      const entry = next()
      if (entry !== undefined) run(entry)
      return entry !== undefined
    },
    get pending() {
      return waiting.size
    },
    get nextAt() {
      return next()?.at
    },
  }
}
