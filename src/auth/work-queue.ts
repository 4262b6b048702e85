/** Work that is dear: so much of it at a time, so much in line, and a refusal at once beyond that. */
import { AppError } from '../core/errors.ts'

export interface WorkQueue {
  /** Throws AppError `overloaded` where the line is full. */
  run<Result>(work: () => Promise<Result>): Promise<Result>
  stats(): { readonly running: number; readonly waiting: number; readonly refused: number }
}

export function createWorkQueue({ atOnce, mostWaiting }: { atOnce: number; mostWaiting: number }): WorkQueue {
  const waiting: (() => void)[] = []
  let running = 0
  let refused = 0
  return {
    async run(work) {
      if (running >= atOnce) {
        if (waiting.length >= mostWaiting) {
          refused++
          throw new AppError(
            'overloaded',
            'Too many passwords wait to be checked. Nothing was changed. Try again in a moment.',
          )
        }
        // Whoever ends hands its place on, so nobody can slip in between.
        await new Promise<void>(resolve => waiting.push(resolve))
      } else running++
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      }
    },
    stats: () => ({ running, waiting: waiting.length, refused }),
  }
}
