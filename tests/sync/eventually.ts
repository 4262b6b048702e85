/** Waits for what other processes bring about. */
import { vi } from 'vitest'

/** Tries until it does not throw, and answers what it found. The patience is for a busy machine; a test that needs it all is about to fail. */
export function eventually<Found>(expectation: () => Found | Promise<Found>): Promise<Found> {
  return vi.waitFor(expectation, { timeout: 60_000, interval: 5 })
}
