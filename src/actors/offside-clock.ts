/** The hybrid clock of events that are accepted beside the log, and what stands for it in events of the log itself. */
import type { LogEvent } from '../core/event.ts'
import type { Clock } from '../core/ports.ts'

export class OffsideClock {
  readonly #clock: Clock
  #ms = 0
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Later than every stamp before it, and than `seen` (ISO 8601), whatever the wall clock does. */
  stamp(seen: string | null): string {
    const ms = Math.max(this.#clock.now(), seen === null ? 0 : Date.parse(seen) + 1)
    if (ms > this.#ms) {
      this.#ms = ms
      this.#count = 0
    } else this.#count++
    return text(this.#ms, this.#count)
  }
}

export function clockOf(event: LogEvent): string {
  return event.origin?.clock ?? text(Date.parse(event.at), 0)
}

/** Of one length, so that texts compare as the times do. */
function text(ms: number, count: number): string {
  return `${String(ms).padStart(15, '0')}.${String(count).padStart(6, '0')}`
}
