/** Nodes that have only each other: whatever the bus does to them, they end where an oracle says, and forget only what is settled. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exchangeSteps, playExchange } from './exchange-steps.ts'
import { forgottenPromise, lateWordOfTheDead, strayingFrom } from './rare-histories.ts'
import { mergeRuns, mergeSeed as seed } from './runs.ts'

const RUNS = mergeRuns(2_000)

test(`after every step of ${RUNS} histories (seed ${seed}) each node is where the oracle says`, { timeout: 0 }, () => {
  const property = fc.property(exchangeSteps, steps => void playExchange(steps))
  fc.assert(property, { seed, numRuns: RUNS, examples: [[[...forgottenPromise]], [[...lateWordOfTheDead]]] })
})

test('and so it is around the histories in which the rarest faults show', { timeout: 0 }, () => {
  const histories = fc.oneof(strayingFrom(forgottenPromise), strayingFrom(lateWordOfTheDead))
  fc.assert(
    fc.property(histories, steps => void playExchange(steps)),
    { seed, numRuns: Math.ceil(RUNS / 2) },
  )
})

test('the histories hold what they are to test', () => {
  let sealed = 0
  let changes = 0
  for (const steps of fc.sample(exchangeSteps, { numRuns: 300, seed: 1 })) {
    const world = playExchange(steps)
    sealed += world.sealed.size
    changes += world.truth.size
  }
  expect(changes).toBeGreaterThan(1_500)
  expect(sealed).toBeGreaterThan(500)
})
