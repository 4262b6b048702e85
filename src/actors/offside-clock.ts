/** The hybrid clock of events that are accepted beside the log, and what stands for it in events of the log itself. */
import type { LogEvent } from '../core/event.ts'
import {
  formatHybridTime,
  type HybridClock,
  hybridTimeOf,
  parseHybridTime,
  raiseCeiling,
  receive,
  startClock,
  tick,
} from '../core/hybrid-clock.ts'
import type { Clock } from '../core/ports.ts'

/** What the last event before the stamped one says of its time. */
export interface Seen {
  /** ISO 8601; null where there is no event. */
  readonly at: string | null
  /** Its hybrid time, where it was accepted beside the log too. */
  readonly clock?: string | undefined
}

export class OffsideClock {
  readonly #clock: Clock
  #hybrid: HybridClock

  /**
   * @param floor at or after all that earlier starts of the node gave out; milliseconds
   * @param ceiling no stamp is at or beyond it
   */
  constructor(clock: Clock, source: string, floor: number, ceiling: number) {
    this.#clock = clock
    this.#hybrid = startClock(source, floor, ceiling)
  }

  /** Milliseconds; no stamp is later. */
  get wall(): number {
    return this.#hybrid.wall
  }

  get ceiling(): number {
    return this.#hybrid.ceiling
  }

  raise(ceiling: number): void {
    this.#hybrid = raiseCeiling(this.#hybrid, ceiling)
  }

  /**
   * Later than every stamp before it, and than what was seen, whatever the wall clock does. Undefined where no such time
   * lies below the ceiling: nothing has moved then.
   */
  stamp({ at, clock }: Seen): string | undefined {
    const before = this.#hybrid
    const known = clock === undefined ? undefined : parseHybridTime(clock)
    if (known !== undefined && !this.#hear(known)) return undefined
    // A wall time alone was never leased, and the log orders what stands under it: one that is far ahead is not followed.
    if (at !== null) this.#hear(hybridTimeOf(at, this.#hybrid.source))
    const ticked = tick(this.#hybrid, this.#clock.now())
    if (!ticked.ok) {
      this.#hybrid = before
      return undefined
    }
    this.#hybrid = ticked.clock
    return formatHybridTime(ticked.time)
  }

  /** Drift is judged where stamps are admitted; here the ceiling alone decides. */
  #hear(time: Parameters<typeof receive>[1]): boolean {
    const heard = receive(this.#hybrid, time, this.#clock.now(), Number.POSITIVE_INFINITY)
    if (heard.ok) this.#hybrid = heard.clock
    return heard.ok
  }
}

export function clockOf({ origin, at, node, incarnation }: LogEvent): string {
  return origin?.clock ?? formatHybridTime(hybridTimeOf(at, `${node}#${incarnation}`))
}
