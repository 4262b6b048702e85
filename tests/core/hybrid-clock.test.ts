/** Hybrid time: monotonic, causal, bounded, and sortable as text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compareHybridTimes,
  formatHybridTime,
  type HybridClock,
  type HybridTime,
  hybridTimeOf,
  parseHybridTime,
  raiseCeiling,
  receive,
  startClock,
  type Ticked,
  tick,
} from '../../src/core/hybrid-clock.ts'

const FAR = 2_000_000_000_000

function taken(ticked: Ticked) {
  if (!ticked.ok) throw new Error(ticked.reason)
  return ticked
}

const times = fc.record({
  wall: fc.oneof(fc.nat(20), fc.nat(FAR)),
  counter: fc.nat(40),
  source: fc.constantFrom('a#1', 'a#2', 'b#1', 'ü#1'),
})

test('times only grow, whatever the wall clock and the other nodes say', () => {
  const step = fc.record({ now: fc.nat(50), heard: fc.option(times) })
  fc.assert(
    fc.property(fc.array(step), steps => {
      let clock: HybridClock = startClock('a#1', 0, 2 * FAR)
      let last: HybridTime = { wall: -1, counter: 0, source: '' }
      for (const { now, heard } of steps) {
        const next = taken(heard === null ? tick(clock, now) : receive(clock, heard, now, FAR))
        expect(compareHybridTimes(last, next.time)).toBe(-1)
        if (heard !== null) expect(compareHybridTimes(heard, next.time)).toBe(-1)
        clock = next.clock
        last = next.time
      }
    }),
  )
})

test('text sorts as the times do, and reads back', () => {
  fc.assert(
    fc.property(times, times, (a, b) => {
      const [x, y] = [formatHybridTime(a), formatHybridTime(b)]
      expect(parseHybridTime(x)).toEqual(a)
      expect(x < y ? -1 : x > y ? 1 : 0).toBe(compareHybridTimes(a, b))
    }),
  )
})

test('what is no such text is not read', () => {
  for (const text of ['', 'x', '2026-01-01T00:00:00Z', '000000001-0000', '000000001-0000-', '00000000A-0000-a#1'])
    expect(parseHybridTime(text), text).toBeUndefined()
})

test('at the ceiling nothing is given out until it is raised, and the clock has not moved', () => {
  const clock = taken(tick(startClock('a#1', 0, 100), 99)).clock
  expect(tick(clock, 100)).toEqual({ ok: false, reason: 'beyond_ceiling', needs: 101 })
  expect(receive(clock, { wall: 100, counter: 3, source: 'b#1' }, 50, 1_000)).toEqual({
    ok: false,
    reason: 'beyond_ceiling',
    needs: 101,
  })
  expect(taken(tick(raiseCeiling(clock, 101), 100)).time).toEqual({ wall: 100, counter: 0, source: 'a#1' })
  expect(raiseCeiling(clock, 7)).toBe(clock)
})

test('a new incarnation starts above all times of the one before, however far its wall clock is behind', () => {
  const old = startClock('a#1', 0, 100)
  const last = taken(tick(old, 99)).time
  const next = taken(tick(startClock('a#2', old.ceiling, 200), 5)).time
  expect(compareHybridTimes(last, next)).toBe(-1)
  expect(next.wall).toBeGreaterThanOrEqual(100)
})

test('a clock too far ahead is refused and leaves no mark', () => {
  const clock = startClock('a#1', 0, FAR)
  const hourAhead = { wall: 3_600_000, counter: 0, source: 'b#1' }
  expect(receive(clock, hourAhead, 0, 60_000)).toEqual({ ok: false, reason: 'too_far_ahead', aheadMs: 3_600_000 })
  expect(receive(clock, hourAhead, 3_540_000, 60_000).ok).toBe(true)
})

test('a full counter goes on in the next millisecond', () => {
  const clock = { ...startClock('a#1', 0, FAR), wall: 10, counter: 36 ** 4 - 1 }
  expect(taken(tick(clock, 10)).time).toEqual({ wall: 11, counter: 0, source: 'a#1' })
})

test('a wall-clock stamp becomes the first time of its millisecond', () => {
  expect(hybridTimeOf('1970-01-01T00:00:00.007Z', 'a#1')).toEqual({ wall: 7, counter: 0, source: 'a#1' })
})
