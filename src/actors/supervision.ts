/** Waiting between restarts of something that keeps failing. */
import type { Clock } from '../core/ports.ts'

const FIRST_MS = 100
const LONGEST_MS = 30_000

/** Free to fail once; from the second failure in a row each wait is twice the one before, up to half a minute. */
export class Backoff {
  readonly #clock: Clock
  #failures = 0
  #since = 0
  #until = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  failed(): void {
    this.#failures++
    this.#since = this.#clock.now()
    if (this.#failures > 1) this.#until = this.#since + Math.min(FIRST_MS * 2 ** (this.#failures - 2), LONGEST_MS)
  }

  reset(): void {
    this.#failures = 0
    this.#until = 0
  }

  /** Milliseconds still to wait; 0 when it may start. */
  remaining(): number {
    const now = this.#clock.now()
    // A clock that was set back says nothing of how long it has been: better once too early than hours too late.
    return now < this.#since ? 0 : Math.max(0, this.#until - now)
  }
}
