/** The clock of one process: time stands still until the test moves it, waits end in real time too, and none outlives the process. */
import type { Clock } from '../../src/core/ports.ts'
import { systemClock } from '../../src/system-clock.ts'
import type { ManualClock } from '../support/manual-clock.ts'

export interface ProcessClock extends Clock {
  /** The process is gone: nothing that waits is called any more. */
  end(): void
}

export function processClock(manual: ManualClock): ProcessClock {
  const waits = new Set<() => void>()
  let ended = false
  return {
    now: () => manual.now(),
    after(ms, callback) {
      if (ended) return () => {}
      const cancel = () => {
        waits.delete(cancel)
        cancelMoved()
        cancelPassed()
      }
      const run = () => {
        cancel()
        callback()
      }
      const cancelMoved = manual.after(ms, run)
      const cancelPassed = systemClock.after(ms, run)
      waits.add(cancel)
      return cancel
    },
    end() {
      ended = true
      for (const cancel of waits) cancel()
    },
  }
}
