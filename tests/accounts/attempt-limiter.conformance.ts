/** What budgets of attempts promise, wherever they are counted. */
import { describe, expect, test } from 'vitest'
import type { AttemptBudget, AttemptLimiter } from '../../src/accounts/attempts.ts'

export const BUDGET: AttemptBudget = {
  free: 5,
  within: 3_600,
  firstWait: 30,
  longestWait: 900,
  most: 12,
  remembered: 86_400,
}

export interface LimiterStage {
  /** Each as a node of its own has it. */
  limiters(budget: AttemptBudget): readonly AttemptLimiter[]
  /** As if all waits were over. */
  waitOver(): Promise<void>
}

export function attemptLimiterConformance(stage: () => LimiterStage): void {
  const setUp = (budget: Partial<AttemptBudget> = {}) => {
    const limiters = stage().limiters({ ...BUDGET, ...budget })
    let turn = 0
    /** Of one node after the other. */
    const take = (key: string) => (limiters[turn++ % limiters.length] as AttemptLimiter).take('login.account', key)
    return { limiters, take, any: limiters[0] as AttemptLimiter }
  }

  /** How many of so many attempts pass. */
  const passed = async (taken: readonly Promise<{ ok: boolean }>[]) =>
    (await Promise.all(taken)).filter(({ ok }) => ok).length

  describe('attempts', () => {
    test('are free at first; each after that is followed by a wait that doubles, up to the longest', async () => {
      const { take } = setUp({ most: 100 })
      for (let n = 0; n < 5; n++) expect(await take('ada')).toMatchObject({ ok: true })
      const waits: number[] = []
      for (let n = 0; n < 8; n++) {
        const refused = await take('ada')
        if (refused.ok) return expect.unreachable('nobody waits')
        expect((await take('ada')).ok, 'asking does not make the wait longer').toBe(false)
        waits.push(Math.ceil(refused.retryAfterMs / 10_000) * 10)
        await stage().waitOver()
        expect(await take('ada')).toMatchObject({ ok: true })
      }
      expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900])
    })

    test('a hundred at once are as many as are free, over all nodes', async () => {
      const { take } = setUp()
      expect(await passed(Array.from({ length: 100 }, () => take('ada')))).toBe(5)
      await stage().waitOver()
      expect(await passed(Array.from({ length: 100 }, () => take('ada')))).toBe(1)
    })

    test('there are so many in all', async () => {
      const { take } = setUp()
      let made = 0
      for (let n = 0; n < 40; n++) {
        if ((await take('ada')).ok) made++
        else await stage().waitOver()
      }
      expect(made).toBe(12)
      const refused = await take('ada')
      expect(refused.ok ? 0 : refused.retryAfterMs).toBeGreaterThan(900_000)
    })

    test('of one key and kind are none of another', async () => {
      const { take, any } = setUp()
      for (let n = 0; n < 6; n++) await take('ada')
      expect((await take('ada')).ok).toBe(false)
      expect((await take('bob')).ok).toBe(true)
      expect((await any.take('factor', 'ada')).ok).toBe(true)
    })

    test('are forgotten after a success', async () => {
      const { take, any } = setUp()
      for (let n = 0; n < 6; n++) await take('ada')
      await any.clear('login.account', 'ada')
      for (let n = 0; n < 5; n++) expect((await take('ada')).ok).toBe(true)
      expect((await take('ada')).ok).toBe(false)
    })

    test('that are given back do not count, and those before them do', async () => {
      const { take } = setUp()
      const givenBack = async () => {
        const taken = await take('ada')
        if (!taken.ok) return expect.unreachable('it counted')
        await taken.giveBack()
      }
      for (let n = 0; n < 20; n++) await givenBack()
      for (let n = 0; n < 4; n++) expect((await take('ada')).ok).toBe(true)
      for (let n = 0; n < 3; n++) await givenBack()
      expect((await take('ada')).ok, 'the last free one').toBe(true)
      expect((await take('ada')).ok).toBe(false)
    })

    test('that are given back at once are as many as were taken', async () => {
      const { take } = setUp()
      const taken = await Promise.all(Array.from({ length: 20 }, () => take('ada')))
      await Promise.all(taken.map(attempt => (attempt.ok ? attempt.giveBack() : undefined)))
      expect(await passed(Array.from({ length: 20 }, () => take('ada')))).toBe(5)
    })
  })

  test('what one node notes, all know, for its time', async () => {
    const { limiters, any } = setUp()
    await any.note('place', 60)
    for (const limiter of limiters) expect(await limiter.isNoted('place')).toBe(true)
    expect(await any.isNoted('elsewhere')).toBe(false)
  })
}
