/** The hybrid clock of events that are accepted beside the log, and what stands for it in events of the log itself. */
import type { LogEvent } from '../core/event.ts'
import {
  formatHybridTime,
  type HybridClock,
  type HybridTime,
  hybridTimeOf,
  parseHybridTime,
  receive,
  startClock,
  tick,
} from '../core/hybrid-clock.ts'
import type { Clock } from '../core/ports.ts'

export class OffsideClock {
  readonly #clock: Clock
  #hybrid: HybridClock

  constructor(clock: Clock, source: string) {
    this.#clock = clock
    this.#hybrid = startClock(source, 0, Number.POSITIVE_INFINITY)
  }

  /** Later than every stamp before it, and than `seen` (ISO 8601), whatever the wall clock does. */
  stamp(seen: string | null): string {
    if (seen !== null) this.#hear(hybridTimeOf(seen, this.#hybrid.source))
    const ticked = tick(this.#hybrid, this.#clock.now())
    if (!ticked.ok) throw new Error(`a clock without a ceiling refused a time: ${ticked.reason}`)
    this.#hybrid = ticked.clock
    return formatHybridTime(ticked.time)
  }

  /** A time that an earlier start gave out. */
  remember(text: string): void {
    const time = parseHybridTime(text)
    if (time !== undefined) this.#hear(time)
  }

  /** Whatever is in the log or the journal was taken as it is: no drift is too far for it. */
  #hear(time: HybridTime): void {
    const heard = receive(this.#hybrid, time, this.#clock.now(), Number.POSITIVE_INFINITY)
    if (heard.ok) this.#hybrid = heard.clock
  }
}

export function clockOf({ origin, at, node, incarnation }: LogEvent): string {
  return origin?.clock ?? formatHybridTime(hybridTimeOf(at, `${node}#${incarnation}`))
}
