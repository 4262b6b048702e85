/** The clock of the tests must be right itself. */
import { expect, test } from 'vitest'
import { createManualClock } from './manual-clock.ts'

test('time moves by hand alone', () => {
  const clock = createManualClock('2026-01-01T00:00:00Z')
  const start = Date.parse('2026-01-01T00:00:00Z')
  expect(clock.now()).toBe(start)
  clock.advance(1_500)
  expect(clock.now()).toBe(start + 1_500)
})

test('what is due runs in order of time, then of registration, at its own time', () => {
  const clock = createManualClock(0)
  const calls: string[] = []
  const call = (name: string, ms: number) => clock.after(ms, () => void calls.push(`${name}@${clock.now()}`))
  call('late', 30)
  call('first', 10)
  call('second', 10)
  call('never', 31)
  expect([clock.pending, clock.nextAt]).toEqual([4, 10])
  clock.advance(30)
  expect(calls).toEqual(['first@10', 'second@10', 'late@30'])
  expect([clock.now(), clock.pending, clock.nextAt]).toEqual([30, 1, 31])
})

test('what callbacks set runs too where it is due, and what they cancel does not', () => {
  const clock = createManualClock(0)
  const calls: number[] = []
  const every = () => {
    calls.push(clock.now())
    clock.after(10, every)
  }
  const cancel = clock.after(25, () => expect.unreachable('cancelled'))
  clock.after(10, every)
  clock.after(20, cancel)
  clock.advance(35)
  expect(calls).toEqual([10, 20, 30])
  expect(clock.now()).toBe(35)
})

test('the next callback can be run alone', () => {
  const clock = createManualClock(0)
  const calls: string[] = []
  clock.after(20, () => void calls.push('b'))
  clock.after(10, () => void calls.push('a'))
  expect([clock.runNext(), calls, clock.now()]).toEqual([true, ['a'], 10])
  expect([clock.runNext(), clock.runNext(), calls, clock.now()]).toEqual([true, false, ['a', 'b'], 20])
})

test('no time is refused', () => expect(() => createManualClock('soon')).toThrow(RangeError))
