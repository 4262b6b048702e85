/** Waiting by the injected clock. */
import type { Clock } from './ports.ts'

/** Resolves after `ms` milliseconds. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => {
    clock.after(ms, resolve)
  })
}

/** Resolves when the work has ended, or after `ms` milliseconds; rejects where the work does by then. */
export async function waitAtMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let cancel = () => {}
  const patience = new Promise<void>(resolve => {
    cancel = clock.after(ms, resolve)
  })
  try {
    await Promise.race([work, patience])
  } finally {
    cancel()
  }
}
