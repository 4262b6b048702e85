/** Time for intervals: it only grows, and does not count what a process slept through or a clock was set by. */
import type { Clock } from './ports.ts'

/**
 * Milliseconds, from the clock's time on.
 * @param mostMs by which it grows between two calls; whoever has it calls more often than that
 */
export function createSteadyTime(clock: Pick<Clock, 'now'>, mostMs: number): () => number {
  let last = clock.now()
  let time = last
  return () => {
    const now = clock.now()
    time += Math.min(Math.max(now - last, 0), mostMs)
    last = now
    return time
  }
}
