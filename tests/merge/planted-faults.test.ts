/** The property suites are worth what they catch: each mistake planted here has to be found, within this many histories. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ExchangeStep, exchangeSteps, playExchange } from './exchange-steps.ts'
import type { ExchangeFault } from './exchange-world.ts'
import type { LogFault } from './log-faults.ts'
import { logSteps, playLog } from './log-steps.ts'
import { forgottenPromise, lateWordOfTheDead, strayingFrom } from './rare-histories.ts'

const IN_LOG: Record<LogFault, number> = {
  'status by last writer': 20_000,
  'wall clock instead of hybrid clock': 3_000,
  'one timestamp for partial updates': 3_000,
  'no tie-break': 20_000,
  'no new incarnation after disk loss': 3_000,
  'hybrid clock restarts from the wall clock': 20_000,
  'revocations merged as the last set written': 3_000,
  'totals merged as the last one written': 3_000,
  'the first end of a session holds': 20_000,
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

const IN_EXCHANGE: Record<ExchangeFault, number> = {
  'remove by value': 3_000,
  'gaps accepted': 3_000,
  'no causal hold-back': 3_000,
  'no new incarnation after disk loss': 3_000,
  'own vector slot lost on recovery': 3_000,
  'tombstone pruned early': 3_000,
  'dead incarnation not sealed': 3_000,
  'promises survive a restart': 3_000,
}

/** Where chance alone takes more than ten thousand histories, they stray from one that shows the fault. */
const RARE: Partial<Record<ExchangeFault, readonly ExchangeStep[]>> = {
  'dead incarnation not sealed': lateWordOfTheDead,
  'promises survive a restart': forgottenPromise,
}

describe('between nodes', () => {
  test.each(Object.entries(IN_EXCHANGE) as [ExchangeFault, number][])(
    '%s is found within %i histories',
    { timeout: 0 },
    (fault, numRuns) => {
      const rare = RARE[fault]
      const histories = rare === undefined ? exchangeSteps : strayingFrom(rare)
      const found = fc.check(
        fc.property(histories, steps => void playExchange(steps, fault)),
        { numRuns, endOnFailure: true },
      )
      expect(found.failed, `seed ${found.seed}`).toBe(true)
    },
  )
})
