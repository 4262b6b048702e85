/** The property suites are worth what they catch: each mistake planted here has to be found, within this many histories. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogFault } from './log-faults.ts'
import { logSteps, playLog } from './log-steps.ts'

const IN_LOG: Record<LogFault, number> = {
  'status by last writer': 20_000,
  'wall clock instead of hybrid clock': 3_000,
  'one timestamp for partial updates': 3_000,
  'no tie-break': 3_000,
  'no new incarnation after disk loss': 3_000,
  'hybrid clock restarts from the wall clock': 20_000,
  'revocations merged as the last set written': 3_000,
  'totals merged as the last one written': 3_000,
}

describe('in the log', () => {
  test.each(Object.entries(IN_LOG) as [LogFault, number][])(
    '%s is found within %i histories',
    { timeout: 0 },
    (fault, numRuns) => {
      const found = fc.check(
        fc.property(logSteps, steps => void playLog(steps, fault)),
        { numRuns, endOnFailure: true },
      )
      expect(found.failed, `seed ${found.seed}`).toBe(true)
    },
  )
})
