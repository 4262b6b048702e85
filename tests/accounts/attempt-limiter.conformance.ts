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

  describe('attempts that are begun', () => {
    type Outcome = 'right' | 'wrong' | 'undone'
    /** How each of so many at once ends, where it is not refused. */
    const begunAtOnce = async (
      { limiters }: { limiters: readonly AttemptLimiter[] },
      outcomes: readonly Outcome[],
    ): Promise<readonly (Outcome | 'refused')[]> =>
      Promise.all(
        outcomes.map(async (outcome, n) => {
          const begun = await (limiters[n % limiters.length] as AttemptLimiter).begin('login.account', 'ada')
          if (!begun.ok) return 'refused'
          // A password takes a moment to be looked at.
          for (let turn = 0; turn < 10; turn++) await Promise.resolve()
          await begun.settle(outcome)
          return outcome
        }),
      )
    const times = (count: number, outcome: Outcome): readonly Outcome[] => Array.from({ length: count }, () => outcome)

    test('and right are not refused for each other, however many at once', async () => {
      expect(await begunAtOnce(setUp(), times(50, 'right'))).toEqual(times(50, 'right'))
    })

    test('and wrong are no more than the budget, however many at once', async () => {
      const stageOf = setUp()
      const wrong = async () => (await begunAtOnce(stageOf, times(200, 'wrong'))).filter(end => end === 'wrong').length
      expect(await wrong()).toBe(5)
      expect(await wrong()).toBe(0)
      await stage().waitOver()
      expect(await wrong()).toBe(1)
    })

    test('after a wait let one through at first, and all where that one was right', async () => {
      const stageOf = setUp()
      await begunAtOnce(stageOf, times(5, 'wrong'))
      await stage().waitOver()
      expect(await begunAtOnce(stageOf, times(30, 'right'))).toEqual(times(30, 'right'))
    })

    test('and come to nothing leave the budget as it was', async () => {
      const stageOf = setUp()
      await begunAtOnce(stageOf, times(2, 'wrong'))
      expect(await begunAtOnce(stageOf, times(30, 'undone'))).toEqual(times(30, 'undone'))
      // Forgotten by one that is right, they are not owed to those that come to nothing after it.
      await begunAtOnce(stageOf, ['undone', 'right', 'undone', 'undone', 'undone'])
      expect((await begunAtOnce(stageOf, times(30, 'wrong'))).filter(end => end === 'wrong')).toHaveLength(5)
    })

    test('wait in order', async () => {
      const { any } = setUp()
      const order: number[] = []
      await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const begun = await any.begin('login.account', 'ada')
          order.push(n)
          if (begun.ok) await begun.settle('right')
        }),
      )
      expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n))
    })

    test('are as many as are taken otherwise', async () => {
      const { any, take } = setUp()
      for (let n = 0; n < 5; n++) await take('ada')
      expect(await any.begin('login.account', 'ada')).toMatchObject({ ok: false })
      await any.clear('login.account', 'ada')
      expect(await any.begin('login.account', 'ada')).toMatchObject({ ok: true })
    })
  })

  test('what one node notes, all know, for its time', async () => {
    const { limiters, any } = setUp()
    await any.note('place', 60)
    for (const limiter of limiters) expect(await limiter.isNoted('place')).toBe(true)
    expect(await any.isNoted('elsewhere')).toBe(false)
  })
}
