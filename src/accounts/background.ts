/** Work that follows an answer: its caller waits for none of it, so how long it takes tells nobody anything. */
import type { Logger } from '../core/ports.ts'

export interface Background {
  /** @param what for the log, should it fail */
  run(what: string, work: () => Promise<void>): void
  /** Resolves when all of it is done. */
  idle(): Promise<void>
}

/** Pieces that wait or are under way; what comes on top is left out, and the log says so. */
const MAX_WAITING = 1_000
const AT_ONCE = 4

export function createBackground(log: Logger): Background {
  const waiting: { readonly what: string; readonly work: () => Promise<void> }[] = []
  const waiters: (() => void)[] = []
  let busy = 0
  const next = async (): Promise<void> => {
    for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift())
      try {
        await piece.work()
      } catch (error) {
        log.error({ err: error, what: piece.what }, 'work that follows an answer failed')
      }
    busy--
    if (busy === 0) for (const resolve of waiters.splice(0)) resolve()
  }
  return {
    run(what, work) {
      if (waiting.length >= MAX_WAITING) return log.error({ what }, 'too much follows answers: this was left out')
      waiting.push({ what, work })
      if (busy === AT_ONCE) return
      busy++
      // After the answer, which is sent in this turn.
      setImmediate(() => void next())
    },
    idle: () =>
      new Promise(resolve => {
        if (busy === 0) resolve()
        else waiters.push(resolve)
      }),
  }
}
