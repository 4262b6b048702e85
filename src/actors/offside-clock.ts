/** The hybrid clock of events that are accepted beside the log, and what stands for it in events of the log itself. */
import type { LogEvent } from '../core/event.ts'
import {
  formatHybridTime,
  type HybridClock,
  type HybridTime,
  hybridTimeOf,
  parseHybridTime,
  raiseCeiling,
  receive,
  startClock,
  tick,
} from '../core/hybrid-clock.ts'
import { sourceOf } from '../core/source.ts'

/** What the last event before the stamped one says of its time. */
export interface Seen {
  /** ISO 8601; null where there is no event. */
  readonly at: string | null
  /** Its hybrid time, where it was accepted beside the log too. */
  readonly clock?: string | undefined
}

/** A time that lies further than this beyond what may be given out is wrong, and not followed. */
export const MAX_DRIFT_MS = 300_000

export class OffsideClock {
  #hybrid: HybridClock
  #ignored = 0

  /**
   * @param floor at or after all that earlier starts of the node gave out; milliseconds
   * @param ceiling no stamp is at or beyond it
   */
  constructor(source: string, floor: number, ceiling: number) {
    this.#hybrid = startClock(source, floor, ceiling)
  }

  /** Milliseconds; no stamp is later. */
  get wall(): number {
    return this.#hybrid.wall
  }

  /** Times seen that were wrong. */
  get ignored(): number {
    return this.#ignored
  }

  get ceiling(): number {
    return this.#hybrid.ceiling
  }

  raise(ceiling: number): void {
    this.#hybrid = raiseCeiling(this.#hybrid, ceiling)
  }

  /**
   * A time at `now`, in milliseconds: later than every stamp before it and than what was seen, whatever the wall clock
   * does. Undefined where no such time lies below the ceiling; nothing has moved then.
   */
  stamp(now: number, { at, clock }: Seen): string | undefined {
    const before = this.#hybrid
    const known = clock === undefined ? undefined : parseHybridTime(clock)
    if (known !== undefined && !this.#hear(known, now) && !this.#isWrong(known)) return undefined
    // A wall time alone was never leased, and the log orders what stands under it.
    const written = at === null ? undefined : hybridTimeOf(at, this.#hybrid.source)
    if (written !== undefined && !this.#hear(written, now)) this.#ignored++
    const ticked = tick(this.#hybrid, now)
    if (!ticked.ok) {
      this.#hybrid = before
      return undefined
    }
    this.#hybrid = ticked.clock
    return formatHybridTime(ticked.time)
  }

  /** Here the ceiling alone decides: another node may rightly be ahead of this one's wall clock by a whole lease. */
  #hear(time: HybridTime, now: number): boolean {
    const heard = receive(this.#hybrid, time, now, Number.POSITIVE_INFINITY)
    if (heard.ok) this.#hybrid = heard.clock
    return heard.ok
  }

  /** Each renewal leases as far as any node has, so a time far beyond the ceiling was leased by none. */
  #isWrong({ wall }: HybridTime): boolean {
    const wrong = wall > this.#hybrid.ceiling + MAX_DRIFT_MS
    if (wrong) this.#ignored++
    return wrong
  }
}

export function clockOf(event: LogEvent): string {
  return event.origin?.clock ?? formatHybridTime(hybridTimeOf(event.at, sourceOf(event)))
}
