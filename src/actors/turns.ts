/** How many actors work on their mailboxes at the same time. */

/**
 * More at once would not fill the log's batches better: it would only hold more half-done work in memory, which the
 * garbage collector has to carry along. The others wait with nothing but their commands.
 */
export class Turns {
  readonly #limit: number
  readonly #waiting: (() => void)[] = []
  #next = 0
  #taken = 0

  constructor(limit: number) {
    this.#limit = limit
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
    const next = this.#waiting[this.#next++]
    if (next !== undefined) {
      next()
      return
    }
    this.#waiting.length = 0
    this.#next = 0
    this.#taken--
  }
}
