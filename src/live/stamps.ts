/** Numbers for writes: they grow with each, follow the clock, and lie above every one that was heard before. */

/** Clocks of nodes may be apart by this. */
export const DRIFT_MS = 60_000
const PER_MS = 1_000

export interface Stamps {
  next(now: number): number
  /** False where it is further ahead than clocks may be apart: it would win over everything written until then. */
  observe(stamp: number, now: number): boolean
}

export function createStamps(): Stamps {
  let last = 0
  return {
    next(now) {
      last = Math.max(now * PER_MS, last + 1)
      return last
    },
    observe(stamp, now) {
      if (stamp > (now + DRIFT_MS) * PER_MS) return false
      last = Math.max(last, stamp)
      return true
    },
  }
}
