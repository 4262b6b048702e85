/** A short time in which changes are gathered, so that they go out together. */
import type { Clock } from '../core/ports.ts'

export interface Window {
  /** Opens it, where it is not open. */
  open(): void
  /** What it would have ended with does not happen. */
  cancel(): void
}

export function createWindow(clock: Clock, ms: number, ended: () => void): Window {
  let cancel: (() => void) | undefined
  return {
    open() {
      cancel ??= clock.after(ms, () => {
        cancel = undefined
        ended()
      })
    },
    cancel() {
      cancel?.()
      cancel = undefined
    },
  }
}
