/** The arithmetic of the benchmarks. */
import { expect, test } from 'vitest'
import { atLeast, atMost, below } from '../../bench/bars.ts'
import { compare, median, percentile, rounded } from '../../bench/measure.ts'

test('medians and percentiles', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([])).toBeNaN()
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n)
  expect([percentile(hundred, 0.99), percentile(hundred, 0.5), percentile([7], 0.99)]).toEqual([99, 50, 7])
  expect([rounded(12_345), rounded(0.123456)]).toEqual([12_300, 0.123])
})

test('sides take turns, the first of a round last in the next; what is warmed up with does not count', async () => {
  const order: string[] = []
  const side = (name: string, operations: number) => ({
    name,
    run: async () => {
      order.push(name)
      // The first run of each is far off.
      return order.length <= 2 ? 1e9 : operations
    },
  })
  const { figures } = await compare([side('a', 10), side('b', 10)], { rounds: 3, postmaster: process.pid })
  expect(order.join('')).toBe('abbaabba')
  expect([...figures.keys()]).toEqual(['a', 'b'])
  expect(figures.get('a')).toMatchObject({ rounds: 3 })
  expect(figures.get('a')?.highest).toBeLessThan(1e9)
})

test('a ratio is the median of the ratios of each round, measured from where the side says it begins', async () => {
  let ms = 0
  const side = (name: string, ...speeds: number[]) => ({
    name,
    run: async (beginMeasuring: () => void) => {
      ms += 1e6
      beginMeasuring()
      ms += 1_000
      return speeds.shift() ?? 0
    },
  })
  // Round by round twice, half, and twice as fast; by the medians of all rounds it would be the same speed.
  const { figures, ratio } = await compare([side('a', 1, 200, 100, 400), side('b', 1, 100, 200, 200)], {
    rounds: 3,
    postmaster: process.pid,
    now: () => ms,
  })
  expect(figures.get('a')).toMatchObject({ perSecond: 200, lowest: 100, highest: 400 })
  expect(ratio('a', 'b')).toBe(2)
})

test('a bar says whether it is met, and is not by what was not measured', () => {
  expect(atMost(20, 20, 'µs')).toEqual({ seen: 20, unit: 'µs', bar: 20, met: true })
  expect([below(10, 10, 'ms').met, below(10, 9.9, 'ms').met]).toEqual([false, true])
  expect([atLeast(5, 5, 'times').met, atLeast(5, 4.9, 'times').met]).toEqual([true, false])
  const { NaN: nothing } = Number
  expect([atMost(1, nothing, ''), below(1, nothing, ''), atLeast(1, nothing, '')].some(({ met }) => met)).toBe(false)
})
