/** Budgets of attempts in one process. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createAttemptLimiter } from '../../src/accounts/attempt-limiter.ts'
import type { AttemptBudget } from '../../src/accounts/attempts.ts'
import { ATTEMPT_BUDGETS } from '../../src/accounts/attempts.ts'
import { systemClock } from '../../src/system-clock.ts'
import { attemptLimiterConformance, BUDGET } from './attempt-limiter.conformance.ts'

// The library reads the time of the process.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

describe('in memory', () => {
  attemptLimiterConformance(() => ({
    limiters: (budget: AttemptBudget) => [
      createAttemptLimiter({ clock: systemClock, budgets: { 'login.account': budget } }),
    ],
    waitOver: async () => void (await vi.advanceTimersByTimeAsync(900_000)),
  }))

  test('free attempts come back after their time, late ones after theirs', async () => {
    const limiter = createAttemptLimiter({ clock: systemClock, budgets: { 'login.account': BUDGET } })
    const take = async () => (await limiter.take('login.account', 'ada')).ok
    for (let n = 0; n < 4; n++) expect(await take()).toBe(true)
    await vi.advanceTimersByTimeAsync(3_600_000)
    for (let n = 0; n < 5; n++) expect(await take()).toBe(true)
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect([await take(), await take()], 'one, for the others were not followed by a success').toEqual([true, false])
    await vi.advanceTimersByTimeAsync(86_400_000)
    for (let n = 0; n < 5; n++) expect(await take()).toBe(true)
  })

  test('an attempt waits for those that are never settled for ten seconds, and keeps nothing afterwards', async () => {
    const limiter = createAttemptLimiter({ clock: systemClock, budgets: { 'login.account': BUDGET } })
    const begin = () => limiter.begin('login.account', 'ada')
    for (let n = 0; n < 5; n++) expect((await begin()).ok).toBe(true)
    const refused: number[] = []
    const waiting = Promise.all(
      [0, 1].map(async n => {
        if (!(await begin()).ok) refused.push(n)
      }),
    )
    await vi.advanceTimersByTimeAsync(9_999)
    expect(refused).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await waiting
    expect(refused).toEqual([0, 1])
    expect(vi.getTimerCount(), 'of the three counters').toBe(3)
  })
})

test('no account has more than a hundred failures under its two names, and no timer is longer than timers can be', () => {
  expect(ATTEMPT_BUDGETS['login.account'].most * 2).toBeLessThanOrEqual(100)
  for (const { remembered, longestWait, firstWait, within } of Object.values(ATTEMPT_BUDGETS))
    for (const seconds of [remembered, longestWait, firstWait, within]) {
      expect(seconds * 1_000).toBeLessThan(2 ** 31)
      expect(Number.isInteger(seconds) && seconds >= 1).toBe(true)
    }
})
