/** A clock that stands in the middle of a TOTP step until a test moves it on, so that no code is over before it is shown. */
import type { Clock } from '../../src/core/ports.ts'
import { systemClock } from '../../src/system-clock.ts'

export const STEP_MS = 30_000

export interface StillClock extends Clock {
  moveOn(ms: number): void
}

/** Callbacks come after real time: what nodes do in the background goes on. */
export function createStillClock(): StillClock {
  let now = Math.floor(Date.now() / STEP_MS) * STEP_MS + STEP_MS / 2
  return {
    now: () => now,
    after: systemClock.after,
    moveOn: ms => {
      now += ms
    },
  }
}
