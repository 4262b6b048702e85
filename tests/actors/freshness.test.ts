/** The age of a copy, as far as the suites of the actor system cannot bring it about. */
import { expect, test } from 'vitest'
import { Freshness } from '../../src/actors/freshness.ts'

test('a copy nobody compared with the log is never young', () => {
  expect(new Freshness().allows(1, 0, 60_000, 0)).toBe(false)
})

test('a clock that was set back tells no age', () => {
  const freshness = new Freshness()
  freshness.known(10_000, 3)
  expect(freshness.allows(1, 10_000, 1, 3)).toBe(true)
  expect(freshness.allows(1, 9_999, 60_000, 3)).toBe(false)
})

test('a link without a reading, now or then, is not trusted', () => {
  const freshness = new Freshness()
  freshness.known(0, undefined)
  expect(freshness.allows(1, 0, 1_000, undefined)).toBe(false)
  freshness.known(0, 1)
  expect(freshness.allows(1, 0, 1_000, undefined)).toBe(false)
  expect(freshness.allows(1, 0, 1_000, 2)).toBe(false)
})
