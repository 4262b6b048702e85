/** Notices that Postgres has fallen silent: it takes what it is asked, or seems to, and neither answers nor refuses. */
import pg from 'pg'
import { AppError } from '../core/errors.ts'
import type { Logger, Silence } from '../core/ports.ts'

export interface SilenceWatchOptions {
  /** Asks the server on a connection of its own; rejects where it has not answered within so many milliseconds. */
  readonly probe: (withinMs: number) => Promise<void>
  /** How long a question may wait for its answer; half of it without a word on any connection is silence. */
  readonly patienceMs: number
  readonly log: Logger
}

interface Question {
  readonly askedAt: number
  /** Absent where only the silence is of interest, and the question keeps its own limits. */
  readonly reject?: (error: AppError) => void
}

/** Between two probes of a server that is silent. */
const PAUSE_MS = 500

/**
 * Time is that of the process, as in the driver: a wall clock that is set anew makes nothing late.
 * No answer alone is no silence, for a question may be a hard one or have a broken connection: the probe decides.
 */
export class SilenceWatch implements Silence {
  readonly #options: SilenceWatchOptions
  readonly #open = new Set<Question>()
  readonly #listeners = new Set<() => void>()
  #heardAt = Number.NEGATIVE_INFINITY
  #silent = false
  #probing = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: SilenceWatchOptions) {
    this.#options = options
  }

  get silent(): boolean {
    return this.#silent
  }

  onSilent(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The answer; or AppError `log_unavailable` at once while the server is silent, when it falls so, and when patience ends. */
  guard<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (this.#silent) return Promise.reject(noAnswer())
    return new Promise((resolve, reject) => {
      const question = this.#asked(reject)
      this.#answered(question, ask()).then(resolve, reject)
    })
  }

  /** The answer, however long it takes; its absence counts. */
  observe<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return this.#answered(this.#asked(), ask())
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #asked(reject?: (error: AppError) => void): Question {
    const question = { askedAt: performance.now(), ...(reject === undefined ? {} : { reject }) }
    this.#open.add(question)
    this.#plan()
    return question
  }

  async #answered<Answer>(question: Question, answer: Promise<Answer>): Promise<Answer> {
    try {
      const given = await answer
      this.#heard()
      return given
    } catch (error) {
      if (error instanceof pg.DatabaseError) this.#heard()
      throw error
    } finally {
      this.#open.delete(question)
    }
  }

  #heard(): void {
    this.#heardAt = performance.now()
    if (!this.#silent) return
    this.#silent = false
    this.#options.log.info({}, 'Postgres answers again')
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#closed || this.#open.size === 0) return
    // Late by as much at the most.
    this.#timer = setTimeout(() => this.#look(), this.#options.patienceMs / 20)
  }

  #look(): void {
    this.#timer = undefined
    const { patienceMs } = this.#options
    const now = performance.now()
    for (const question of this.#open) {
      // In the order they were asked.
      if (now - question.askedAt < patienceMs) break
      if (question.reject === undefined) continue
      this.#open.delete(question)
      question.reject(noAnswer())
    }
    const [oldest] = this.#open
    const quietSince = Math.max(oldest?.askedAt ?? now, this.#heardAt)
    if (!this.#probing && !this.#silent && now - quietSince >= patienceMs / 4) void this.#probe()
    this.#plan()
  }

  /** Asks until there is an answer, or it is known that none comes; then until one comes. */
  async #probe(): Promise<void> {
    const { probe, patienceMs, log } = this.#options
    this.#probing = true
    while (!this.#closed) {
      const askedAt = performance.now()
      const error = await probe(patienceMs / 4).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (error === undefined || error instanceof pg.DatabaseError) this.#heard()
      // On whichever connection: a server that cannot take one more is not silent.
      if (this.#heardAt >= askedAt || this.#closed) break
      if (!this.#silent) {
        this.#silent = true
        log.warn({ error: String(error) }, 'Postgres is silent: what waits for it is given up until it answers')
        this.#giveUp()
      }
      await new Promise(resolve => {
        setTimeout(resolve, PAUSE_MS).unref()
      })
    }
    this.#probing = false
  }

  #giveUp(): void {
    for (const question of this.#open)
      if (question.reject !== undefined) {
        this.#open.delete(question)
        question.reject(noAnswer())
      }
    for (const listener of this.#listeners) listener()
  }
}

function noAnswer(): AppError {
  return new AppError(
    'log_unavailable',
    'Postgres did not answer in time. What was acknowledged is safe; retry with the same command id.',
  )
}
