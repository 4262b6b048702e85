/** Reads the log once from end to end, in ranges that the caller names, a page ahead of its caller. */
import type { SealedLog } from '../core/ports.ts'
import type { StoredEvent } from '../core/seal.ts'

const PAGE = 2_000

export class LogReader {
  readonly #log: SealedLog
  /** Everything up to here was given out or lies in the buffer. */
  #at = 0
  #buffer: readonly StoredEvent[] = []
  #index = 0
  #ahead: Promise<readonly StoredEvent[]> | undefined

  constructor(log: SealedLog) {
    this.#log = log
  }

  /** Calls back with the events after `after`, up to and with `through`. Ranges that follow each other are read once. */
  async range(after: number, through: number, each: (event: StoredEvent) => void): Promise<void> {
    if (after !== this.#at) this.#moveTo(after)
    for (;;) {
      for (; this.#index < this.#buffer.length; this.#index++) {
        const event = this.#buffer[this.#index] as StoredEvent
        if (Number(event[0]) > through) {
          this.#at = through
          return
        }
        each(event)
      }
      if (!(await this.#nextPage())) break
    }
    this.#at = through
  }

  async #nextPage(): Promise<boolean> {
    const end = this.#buffer.at(-1)
    const page = await (this.#ahead ?? this.#fetch(end === undefined ? this.#at : Number(end[0])))
    this.#ahead = undefined
    const last = page.at(-1)
    if (last === undefined) return false
    this.#buffer = page
    this.#index = 0
    if (page.length === PAGE) this.#ahead = this.#fetch(Number(last[0]))
    return true
  }

  #fetch(after: number): Promise<readonly StoredEvent[]> {
    const page = this.#log.stored(after, PAGE)
    // Whoever awaits it hears of a failure; a page that nobody came to need must not end the process.
    page.catch(() => {})
    return page
  }

  #moveTo(after: number): void {
    this.#at = after
    this.#buffer = []
    this.#index = 0
    this.#ahead = undefined
  }
}
