/** The system's clock. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../src/system-clock.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000 }))
afterEach(() => void vi.useRealTimers())

const DAY = 86_400_000

test('it calls back once, after the time', () => {
  let calls = 0
  systemClock.after(500, () => void calls++)
  expect(systemClock.now()).toBe(1_000)
  vi.advanceTimersByTime(499)
  expect(calls).toBe(0)
  vi.advanceTimersByTime(1)
  expect([calls, systemClock.now()]).toEqual([1, 1_500])
  vi.advanceTimersByTime(DAY)
  expect(calls).toBe(1)
})

test('a delay of months is kept, which a timer of the system cannot hold', () => {
  let calls = 0
  systemClock.after(100 * DAY, () => void calls++)
  vi.advanceTimersByTime(100 * DAY - 1)
  expect(calls).toBe(0)
  vi.advanceTimersByTime(1)
  expect(calls).toBe(1)
})

test('it can be cancelled at any time, also in a later part of a long delay', () => {
  let calls = 0
  const count = () => void calls++
  systemClock.after(10, count)()
  const cancel = systemClock.after(100 * DAY, count)
  vi.advanceTimersByTime(60 * DAY)
  cancel()
  cancel()
  vi.advanceTimersByTime(100 * DAY)
  expect([calls, vi.getTimerCount()]).toEqual([0, 0])
})

test('what is overdue is called soon, and never inside the call', () => {
  let calls = 0
  systemClock.after(-5, () => void calls++)
  expect(calls).toBe(0)
  vi.advanceTimersByTime(1)
  expect(calls).toBe(1)
})
