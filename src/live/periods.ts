/** Asks the log which period an actor is in, such as the time a stream is on air, and asks again where the answer may have changed. */
import { AppError, ERRORS } from '../core/errors.ts'
import type { ActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { Logger } from '../core/ports.ts'
import type { LiveStateOptions } from './api.ts'
import type { Replica, Subject } from './replica.ts'

/** Actors whose figures stand still are looked up so often, in case their end was missed. */
const RECHECK_MS = 5 * 60_000
/** What stood still for so long may be at rest. */
const STILL_MS = 60_000
/** Lookups that are begun in a tick. */
const LOOKUPS = 50

export interface PeriodsOptions {
  /** Milliseconds, for intervals. */
  readonly time: () => number
  readonly log: Logger
  readonly replica: Replica
  readonly state: LiveStateOptions['state']
  /** The log was asked for the first time, and this is the time it says. */
  readonly began: (subject: Subject, period: string, context: JsonObject) => Promise<void>
  /** What there is of it need not be held any more. */
  readonly isAtRest: (subject: Subject) => boolean
  /** Called after each answer, and where there was none. */
  readonly answered: (subject: Subject) => void
}

export class Periods {
  readonly #options: PeriodsOptions
  readonly #lookups = new Map<Subject, Promise<void>>()
  /** Their answer on the way may be out of date. */
  readonly #stale = new Set<Subject>()

  constructor(options: PeriodsOptions) {
    this.#options = options
  }

  /** Throws AppError `log_unavailable`. */
  ask(subject: Subject): Promise<void> {
    const known = this.#lookups.get(subject)
    if (known !== undefined) return known
    const lookup = this.#ask(subject).finally(() => this.#lookups.delete(subject))
    this.#lookups.set(subject, lookup)
    return lookup
  }

  /** In the background; an answer that is on its way will do. */
  askLater(subject: Subject): void {
    if (this.#lookups.has(subject)) return
    this.ask(subject).catch(error =>
      this.#options.log.debug({ error: String(error) }, 'an actor with live figures was not read; it is tried again'),
    )
  }

  /** Something happened to the actor: only an answer from after it will do. */
  askAgain(subject: Subject): void {
    if (this.#lookups.has(subject)) this.#stale.add(subject)
    else this.askLater(subject)
  }

  /** Events of actors may have been missed. */
  missed(): void {
    for (const subject of this.#options.replica.subjects()) subject.askedAt = 0
  }

  tick(): void {
    const { time, replica, isAtRest } = this.#options
    const now = time()
    let lookups = 0
    for (const subject of replica.subjects()) {
      if (now - subject.changedAt >= STILL_MS && isAtRest(subject)) {
        replica.forget(subject)
        continue
      }
      const quiet = now - Math.max(subject.changedAt, subject.askedAt) >= RECHECK_MS
      if (!quiet && subject.askedAt > 0) continue
      if (subject.period === null && quiet) replica.forget(subject)
      else if (lookups++ < LOOKUPS) this.askLater(subject)
    }
  }

  async #ask(subject: Subject): Promise<void> {
    const { time, state: read, answered } = this.#options
    subject.askedAt = time()
    try {
      do {
        this.#stale.delete(subject)
        const { state, context } = await read({ type: subject.type, id: subject.id } as ActorRef)
        const period = subject.definition.period(state, context) ?? null
        if (subject.period === undefined && period !== null) await this.#options.began(subject, period, context)
        subject.period = period
      } while (this.#stale.has(subject))
      for (const period of [...subject.documents.keys()])
        if (period !== subject.period) subject.documents.delete(period)
    } catch (error) {
      this.#stale.delete(subject)
      // There can be no such actor. Anything else is asked again at the next tick.
      if (error instanceof AppError && !ERRORS[error.code].retryable) subject.period = null
      else {
        subject.askedAt = 0
        throw error
      }
    } finally {
      answered(subject)
    }
  }
}
