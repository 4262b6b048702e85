/** How many actors work on their mailboxes at the same time. */

/** Under a load that never lets the list run empty, those that had their turn leave it so many at a time. */
const FORGET_AFTER = 1_024

/**
 * More at once would not fill the log's batches better: it would only hold more half-done work in memory, which the
 * garbage collector has to carry along. The others wait with nothing but their commands.
 */
export class Turns {
  readonly #limit: number
  readonly #waiting: (() => void)[] = []
  /** Index of the first that still waits: to shift the list for each would cost as much as it is long. */
  #next = 0
  #taken = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Entries of the list, those that had their turn included. */
  get held(): number {
    return this.#waiting.length
  }

  /** A promise to wait for, or undefined where a turn was free. First come, first served. */
  take(): Promise<void> | undefined {
    if (this.#taken < this.#limit) {
      this.#taken++
      return undefined
    }
    return new Promise(resolve => {
      this.#waiting.push(resolve)
    })
  }

  /** Passes the turn on, or gives it back. */
  done(): void {
    const next = this.#waiting[this.#next]
    if (next === undefined) {
      this.#taken--
      return
    }
    this.#next++
    if (this.#next === this.#waiting.length || this.#next === FORGET_AFTER) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
    next()
  }
}
