/** Waiting by the injected clock: neither longer than asked nor with a timer left behind. */
import { expect, test } from 'vitest'
import { createRepeatedWork } from '../../src/core/repeated-work.ts'
import { pause, waitAtMost } from '../../src/core/waits.ts'
import { createManualClock } from '../support/manual-clock.ts'

test('a pause ends when its time has passed', async () => {
  const clock = createManualClock(0)
  const paused = pause(clock, 100)
  expect(clock.nextAt).toBe(100)
  clock.advance(100)
  await paused
  expect(clock.pending).toBe(0)
})

test('work is waited for until it ends, and no timer stays', async () => {
  const clock = createManualClock(0)
  await waitAtMost(clock, 100, Promise.resolve())
  expect(clock.pending).toBe(0)
})

test('work that hangs is waited for no longer than was said', async () => {
  const clock = createManualClock(0)
  const waited = waitAtMost(clock, 100, new Promise(() => {}))
  clock.advance(100)
  await waited
  expect(clock.pending).toBe(0)
})

test('a failure of the work is told, and no timer stays', async () => {
  const clock = createManualClock(0)
  await expect(waitAtMost(clock, 100, Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(clock.pending).toBe(0)
})

test('repeated work runs an interval after the run before it has ended, and not after the stop', async () => {
  const clock = createManualClock(0)
  const ends: (() => void)[] = []
  const work = createRepeatedWork(clock, 100, () => new Promise<void>(resolve => ends.push(resolve)))
  work.start()
  expect(ends).toHaveLength(0)
  clock.advance(100)
  expect(ends).toHaveLength(1)
  clock.advance(1_000)
  expect(ends).toHaveLength(1)
  ends[0]?.()
  await expect.poll(() => clock.pending).toBe(1)
  clock.advance(100)
  expect(ends).toHaveLength(2)
  const stopped = work.stop()
  ends[1]?.()
  await stopped
  expect(clock.pending).toBe(0)
})
