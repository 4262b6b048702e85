/**
 * The hybrid logical clock: times that follow the wall clock, and never contradict what caused what.
 *
 * Kulkarni, Demirbas et al., "Logical Physical Clocks" (2014). What is written after something was heard has a later time,
 * however wrong the clocks of the nodes are. Pure: the caller brings the wall time and keeps the clock.
 */

export interface HybridTime {
  /** Milliseconds since the epoch, UTC; ahead of the wall clock where others were. */
  readonly wall: number
  readonly counter: number
  /** `node#incarnation`: orders times that are the same otherwise. */
  readonly source: string
}

export interface HybridClock {
  readonly source: string
  readonly wall: number
  readonly counter: number
  /** Leased: no time beyond it is given out, so that whoever starts at it is later than all of this clock's times. */
  readonly ceiling: number
}

export type Ticked =
  | { readonly ok: true; readonly clock: HybridClock; readonly time: HybridTime }
  /** Lease a ceiling of at least `needs` and ask again. The clock has not moved. */
  | { readonly ok: false; readonly reason: 'beyond_ceiling'; readonly needs: number }
  /** The other clock is wrong by more than is allowed: whatever carries this time is refused. The clock has not moved. */
  | { readonly ok: false; readonly reason: 'too_far_ahead'; readonly aheadMs: number }

const WALL_DIGITS = 9
const COUNTER_DIGITS = 4
const MAX_WALL = 36 ** WALL_DIGITS - 1
const MAX_COUNTER = 36 ** COUNTER_DIGITS - 1
const TEXT = /^([0-9a-z]{9})-([0-9a-z]{4})-([^\0]{1,250})$/

/**
 * A clock whose first time is later than `floor`.
 * @param floor the ceiling of the incarnation before, whatever became of its disk; 0 for the first
 */
export function startClock(source: string, floor: number, ceiling: number): HybridClock {
  return { source, wall: floor, counter: MAX_COUNTER, ceiling }
}

/** The clock under a new lease. A lease only ever grows. */
export function raiseCeiling(clock: HybridClock, ceiling: number): HybridClock {
  return ceiling > clock.ceiling ? { ...clock, ceiling } : clock
}

/** The time of something that happens here now; later than all that were given out and received before. */
export function tick(clock: HybridClock, now: number): Ticked {
  return now > clock.wall ? moved(clock, now, 0) : moved(clock, clock.wall, clock.counter + 1)
}

/** The time at which something from elsewhere is received: later than its own. */
export function receive(clock: HybridClock, remote: HybridTime, now: number, maxDriftMs: number): Ticked {
  const aheadMs = remote.wall - now
  if (aheadMs > maxDriftMs) return { ok: false, reason: 'too_far_ahead', aheadMs }
  const wall = Math.max(now, clock.wall, remote.wall)
  const heard = [clock, remote].filter(time => time.wall === wall).map(time => time.counter + 1)
  return moved(clock, wall, Math.max(0, ...heard))
}

/** -1, 0 or 1; 0 only for the same time of the same source. */
export function compareHybridTimes(a: HybridTime, b: HybridTime): -1 | 0 | 1 {
  if (a.wall !== b.wall) return a.wall < b.wall ? -1 : 1
  if (a.counter !== b.counter) return a.counter < b.counter ? -1 : 1
  return a.source === b.source ? 0 : a.source < b.source ? -1 : 1
}

/** Text that sorts by code unit (in SQL: `collate "C"`) as the times do. */
export function formatHybridTime({ wall, counter, source }: HybridTime): string {
  return `${digits(wall, WALL_DIGITS)}-${digits(counter, COUNTER_DIGITS)}-${source}`
}

/** Undefined where the text is none of `formatHybridTime`. */
export function parseHybridTime(text: string): HybridTime | undefined {
  const [, wall, counter, source] = TEXT.exec(text) ?? []
  if (wall === undefined || counter === undefined || source === undefined) return undefined
  return { wall: Number.parseInt(wall, 36), counter: Number.parseInt(counter, 36), source }
}

/** The time of something stamped with a wall clock alone: before all that hybrid clocks gave out in that millisecond. */
export function hybridTimeOf(at: string, source: string): HybridTime {
  return { wall: Math.min(Math.max(0, Math.floor(Date.parse(at)) || 0), MAX_WALL), counter: 0, source }
}

function moved(clock: HybridClock, wall: number, counter: number): Ticked {
  const full = counter > MAX_COUNTER
  const next = full ? { wall: wall + 1, counter: 0 } : { wall, counter }
  if (next.wall > MAX_WALL) throw new Error(`no time after ${clock.wall} can be written`)
  // At the ceiling itself nothing is given out: it is the floor of the next incarnation.
  if (next.wall >= clock.ceiling) return { ok: false, reason: 'beyond_ceiling', needs: next.wall + 1 }
  return { ok: true, clock: { ...clock, ...next }, time: { ...next, source: clock.source } }
}

function digits(value: number, width: number): string {
  return value.toString(36).padStart(width, '0')
}
