/** Calls listeners so that a faulty one breaks neither the others nor the caller. */
import type { Logger } from '../core/ports.ts'

export type Listener<T> = (value: T) => void

export interface Listeners<T> {
  /** The same function may be added twice; each return value removes its own. */
  add(listener: Listener<T>): () => void
  emit(value: T): void
}

export function createListeners<T>(what: string, log: Logger): Listeners<T> {
  const entries = new Set<{ readonly listener: Listener<T> }>()
  return {
    add(listener) {
      const entry = { listener }
      entries.add(entry)
      return () => void entries.delete(entry)
    },
    emit(value) {
      for (const { listener } of [...entries]) callListener(listener, value, what, log)
    },
  }
}

export function callListener<T>(listener: Listener<T>, value: T, what: string, log: Logger): void {
  const failed = (err: unknown) => log.error({ err }, `A listener to ${what} failed; the others were called.`)
  try {
    // An async function fits the type too, and its rejection would end the process.
    const result: unknown = listener(value)
    if (result instanceof Promise) result.catch(failed)
  } catch (err) {
    failed(err)
  }
}
