/** The clock of the machine the node runs on. */
import type { Clock } from './core/ports.ts'

// setTimeout keeps its delay in 32 bits and fires at once beyond that.
const MAX_DELAY_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout | undefined
    const wait = (left: number) => {
      const step = Math.min(left, MAX_DELAY_MS)
      timer = setTimeout(() => (left > step ? wait(left - step) : callback()), step)
      timer.unref()
    }
    wait(Math.max(0, ms))
    return () => clearTimeout(timer)
  },
}
