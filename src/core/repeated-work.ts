/** Work that a part of a node does again and again, until it is stopped. */
import type { Clock } from './ports.ts'

export interface RepeatedWork {
  /** The first run comes one interval from now. */
  start(): void
  /** Resolves when the run under way has ended; none follows. */
  stop(): Promise<void>
}

/**
 * One run at a time; the interval counts from the end of one to the start of the next.
 * @param work never rejects
 */
export function createRepeatedWork(clock: Clock, everyMs: number, work: () => Promise<unknown>): RepeatedWork {
  let cancel = () => {}
  let running: Promise<unknown> | undefined
  let stopped = false
  const plan = () => {
    cancel = clock.after(everyMs, () => {
      running = work().finally(() => {
        running = undefined
        if (!stopped) plan()
      })
    })
  }
  return {
    start: plan,
    async stop() {
      stopped = true
      cancel()
      await running
    },
  }
}
