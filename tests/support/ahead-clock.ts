/** The clock of the machine, which tests move ahead instead of waiting. Callbacks come after real time. */
import type { Clock } from '../../src/core/ports.ts'
import { systemClock } from '../../src/system-clock.ts'

export interface AheadClock extends Clock {
  pass(ms: number): void
  /** What passed so, ms. */
  ahead(): number
}

export function createAheadClock(): AheadClock {
  let ahead = 0
  return {
    now: () => systemClock.now() + ahead,
    after: systemClock.after,
    pass: ms => {
      ahead += ms
    },
    ahead: () => ahead,
  }
}
