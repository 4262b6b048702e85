/** The clock beside the log: monotonic, after what it has seen, below its ceiling. */
import { describe, expect, test } from 'vitest'
import { MAX_DRIFT_MS, OffsideClock } from '../../src/actors/offside-clock.ts'
import { formatHybridTime, parseHybridTime } from '../../src/core/hybrid-clock.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const CEILING = NOW + 3_600_000
const iso = (ms: number) => new Date(ms).toISOString()
const hybrid = (wall: number, counter = 0) => formatHybridTime({ wall, counter, source: 'b#1' })
const wallOf = (text: string | undefined) => parseHybridTime(text ?? '')?.wall

describe('a stamp', () => {
  test('is later than each before it, also when the wall clock is set back', () => {
    const clock = new OffsideClock('a#1', 0, CEILING)
    const stamps = [NOW, NOW, NOW - 1_000, NOW + 1, NOW - 9_000].map(now => clock.stamp(now, { at: null }) ?? '')
    expect(stamps.toSorted()).toEqual(stamps)
    expect(new Set(stamps).size).toBe(stamps.length)
  })

  test('is later than the floor, wherever the wall clock is', () => {
    const clock = new OffsideClock('a#2', NOW + 60_000, CEILING)
    expect(wallOf(clock.stamp(NOW, { at: null }))).toBeGreaterThan(NOW + 60_000)
  })

  test('is later than the last event, by its wall time and by its hybrid time', () => {
    const clock = new OffsideClock('a#1', 0, CEILING)
    const after = clock.stamp(NOW, { at: iso(NOW + 500) }) ?? ''
    expect(wallOf(after)).toBe(NOW + 500)
    // The event was accepted beside the log by a node that is ahead: its `at` does not show it.
    const later = clock.stamp(NOW, { at: iso(NOW), clock: hybrid(NOW + 120_000, 7) }) ?? ''
    expect(later > hybrid(NOW + 120_000, 7)).toBe(true)
    expect(later > after).toBe(true)
  })

  test('is not given out at the ceiling or beyond it, and is again under a higher one', () => {
    const clock = new OffsideClock('a#1', 0, NOW + 10)
    expect(wallOf(clock.stamp(NOW + 9, { at: null }))).toBe(NOW + 9)
    expect(clock.stamp(NOW + 10, { at: null })).toBeUndefined()
    expect(clock.stamp(NOW, { at: null, clock: hybrid(NOW + 10) })).toBeUndefined()
    expect(clock.wall).toBe(NOW + 9)
    clock.raise(NOW + 20)
    expect(wallOf(clock.stamp(NOW + 10, { at: null }))).toBe(NOW + 10)
  })

  test('does not follow a time that nobody was leased, and counts it', () => {
    const clock = new OffsideClock('a#1', 0, CEILING)
    const year = 365 * 86_400_000
    expect(wallOf(clock.stamp(NOW, { at: iso(NOW + year) }))).toBe(NOW)
    expect(wallOf(clock.stamp(NOW, { at: null, clock: hybrid(CEILING + MAX_DRIFT_MS + 1) }))).toBe(NOW)
    expect(clock.ignored).toBe(2)
    // Within the bound it may be right: then nothing is given out that would be earlier.
    expect(clock.stamp(NOW, { at: null, clock: hybrid(CEILING + MAX_DRIFT_MS) })).toBeUndefined()
    expect(clock.ignored).toBe(2)
  })
})
