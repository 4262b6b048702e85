/** A node without its log: notices that it is away, keeps the journal, and brings what is in it to the log when that is back. */
import { AppError, isErrorCode } from '../core/errors.ts'
import { type ActorRef, actorRef, formatActorRef } from '../core/ids.ts'
import type { Clock, EventStore, Logger, Service } from '../core/ports.ts'
import type { Register } from '../core/register.ts'
import type { Journal } from '../journal/journal.ts'
import type { AdmittedEntry, JournalEntry } from '../journal/journal-entry.ts'
import type { OutageStatus } from './api.ts'
import { ClockLease } from './clock-lease.ts'
import type { Seen } from './offside-clock.ts'

/** How often the log is asked whether it is back. */
const PROBE_MS = 500
/** How long an entry that cannot be brought to the log, while that is there, waits for the next try. */
const STUCK_MS = 5_000

export interface OutageOptions {
  readonly journal: Journal
  /** Of this start: with a number it is the dot of an entry. */
  readonly node: string
  readonly incarnation: number
  readonly register: Register
  /** How far ahead of the log's clock accepted events may be stamped, default an hour. */
  readonly leaseMs?: number | undefined
}

export interface OutagePorts {
  readonly store: EventStore
  readonly clock: Clock
  readonly log: Logger
  restore(ref: ActorRef, entry: JournalEntry): void
  drain(ref: ActorRef): Promise<void>
}

export class Outage implements Service {
  readonly #options: OutageOptions
  readonly #ports: OutagePorts
  readonly #lease: ClockLease
  readonly #pending = new Map<string, ActorRef>()
  /** What waits for the log and could go on without it. */
  readonly #unanswered = new Set<(error: unknown) => void>()
  #away = false
  #stuck: string | null = null
  #cancel: (() => void) | undefined
  #looking: Promise<void> | undefined
  #stopped = false
  readonly #unsubscribe: (() => void) | undefined

  constructor(options: OutageOptions, ports: OutagePorts) {
    this.#options = options
    this.#ports = ports
    this.#lease = new ClockLease({ ...options, clock: ports.clock, log: ports.log })
    this.#unsubscribe = ports.store.silence?.onSilent(() => this.#silent())
  }

  /** Whether the log did not answer when it was last asked. */
  get away(): boolean {
    return this.#away
  }

  status(): OutageStatus {
    const { pending, bytes, failure } = this.#options.journal
    const clock = this.#lease.status()
    const refusing = failure ?? clock.refusing
    return { away: this.#away, pending, bytes, stuck: this.#stuck, clock: { ...clock, refusing } }
  }

  async start(): Promise<void> {
    for (const entry of this.#options.journal.found) {
      const ref = actorRef(entry.actorType, entry.actorId)
      this.#ports.restore(ref, entry)
      this.pend(ref)
    }
    const { pending } = this.#options.journal
    if (pending > 0) this.#ports.log.info({ pending }, 'commands of an earlier start are brought to the log')
    await this.#lease.keep().catch(error => {
      if (!isErrorCode(error, 'log_unavailable')) throw error
      this.#away = true
    })
    await this.#look()
    await this.#lease.seal().catch(error => this.#ports.log.debug({ error: String(error) }, 'nothing was sealed'))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#unsubscribe?.()
    await this.#looking
    await this.#lease.stop(this.#away)
    const { pending } = this.#options.journal
    if (pending > 0)
      this.#ports.log.warn(
        { pending },
        'accepted commands stay in the journal; the next start on this home brings them',
      )
  }

  fell(): void {
    if (!this.#away)
      this.#ports.log.warn(
        {},
        'Postgres is away: events that can be merged are taken into the journal until it is back',
      )
    this.#away = true
    this.#plan(PROBE_MS)
  }

  /** The answer of the log, or AppError `log_unavailable` when that falls silent: what was sent is in doubt then. */
  unlessSilent<Answer>(answer: Promise<Answer>): Promise<Answer> {
    if (this.#ports.store.silence === undefined) return answer
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject)
      answer.then(resolve, reject).finally(() => this.#unanswered.delete(reject))
    })
  }

  /** Identity and clock of the next entry. Throws AppError `log_unavailable` where no time may be given out. */
  dot(seen: Seen): Pick<JournalEntry, 'clock' | 'node' | 'incarnation' | 'n'> {
    return this.#lease.dot(seen)
  }

  /** See `ClockLease`. */
  admit(entry: JournalEntry): Promise<AdmittedEntry> {
    return this.#lease.admit(entry)
  }

  wasSealed(entry: JournalEntry): void {
    this.#lease.wasSealed(entry)
  }

  write(entries: readonly JournalEntry[]): Promise<void> {
    return this.#options.journal.write(entries)
  }

  settle(entry: JournalEntry): void {
    this.#options.journal.settle(entry)
    this.#lease.settled(entry)
  }

  pend(ref: ActorRef): void {
    this.#pending.set(formatActorRef(ref), ref)
    this.#plan(PROBE_MS)
  }

  settled(ref: ActorRef): void {
    this.#pending.delete(formatActorRef(ref))
  }

  #silent(): void {
    this.fell()
    for (const reject of this.#unanswered) reject(inDoubt())
    this.#unanswered.clear()
  }

  #plan(ms: number): void {
    if (this.#stopped || this.#cancel !== undefined || this.#looking !== undefined) return
    this.#cancel = this.#ports.clock.after(ms, () => void this.#look())
  }

  #look(): Promise<void> {
    this.#cancel = undefined
    this.#looking ??= this.#drainAll().then(next => {
      this.#looking = undefined
      if (next !== undefined) this.#plan(next)
    })
    return this.#looking
  }

  /** One look at the log, and where it is there, at everything that waits for it. Answers when to look again. */
  async #drainAll(): Promise<number | undefined> {
    const { store, log } = this.#ports
    if (!this.#away && this.#pending.size === 0) return undefined
    let stuck: string | null = null
    try {
      await store.head()
      // A server that can only be read, as after a failover, takes no entries: it is not back.
      if (this.#away) {
        await this.#lease.renew()
        log.info({ pending: this.#options.journal.pending }, 'Postgres is back')
      } else await this.#lease.keep()
      this.#away = false
      for (const [actor, ref] of this.#pending) {
        if (this.#stopped) return undefined
        try {
          await this.#ports.drain(ref)
        } catch (error) {
          if (isErrorCode(error, 'log_unavailable')) throw error
          stuck = actor
          log.error(
            { actor, error: String(error) },
            'accepted commands of an actor cannot be brought to the log; they stay in the journal and are tried again',
          )
        }
      }
    } catch (error) {
      this.#away = true
      log.debug({ error: String(error) }, 'the log is still away')
      return PROBE_MS
    }
    this.#stuck = stuck
    return this.#pending.size === 0 ? undefined : stuck === null ? PROBE_MS : STUCK_MS
  }
}

export function away(): AppError {
  return new AppError(
    'log_unavailable',
    'Postgres is away. What was acknowledged is safe. This command was not taken; retry with the same command id.',
  )
}

/** Of a command that was sent to the log and not answered: nobody can say that it was not taken, whatever keeps it from being accepted here. */
export function inDoubt(cause?: unknown): unknown {
  if (isErrorCode(cause, 'log_unavailable')) return cause
  return new AppError(
    'log_unavailable',
    'Postgres fell silent over this command, and may have taken it. What was acknowledged is safe. ' +
      'Retry with the same command id: it settles whether the command was taken.',
    { cause },
  )
}
