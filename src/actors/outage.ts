/** A node without its log: notices that it is away, keeps the journal, and brings what is in it to the log when that is back. */
import { isErrorCode } from '../core/errors.ts'
import { type ActorRef, actorRef, formatActorRef } from '../core/ids.ts'
import type { Clock, EventStore, Logger, Service } from '../core/ports.ts'
import type { Journal } from '../journal/journal.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import type { OutageStatus } from './api.ts'
import { OffsideClock } from './offside-clock.ts'

/** How often the log is asked whether it is back. */
const PROBE_MS = 500
/** How long an entry that cannot be brought to the log, while that is there, waits for the next try. */
const STUCK_MS = 5_000

export interface OutageOptions {
  readonly journal: Journal
  /** Of this start: with a number it is the dot of an entry. */
  readonly node: string
  readonly incarnation: number
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
  readonly #hybrid: OffsideClock
  readonly #pending = new Map<string, ActorRef>()
  #n = 0
  #away = false
  #stuck: string | null = null
  #cancel: (() => void) | undefined
  #looking: Promise<void> | undefined
  #stopped = false

  constructor(options: OutageOptions, ports: OutagePorts) {
    this.#options = options
    this.#ports = ports
    this.#hybrid = new OffsideClock(ports.clock, `${options.node}#${options.incarnation}`)
  }

  /** Whether the log did not answer when it was last asked. */
  get away(): boolean {
    return this.#away
  }

  status(): OutageStatus {
    const { pending, bytes } = this.#options.journal
    return { away: this.#away, pending, bytes, stuck: this.#stuck }
  }

  async start(): Promise<void> {
    for (const entry of this.#options.journal.found) {
      const ref = actorRef(entry.actorType, entry.actorId)
      this.#hybrid.remember(entry.clock)
      this.#ports.restore(ref, entry)
      this.pend(ref)
    }
    const { pending } = this.#options.journal
    if (pending > 0) this.#ports.log.info({ pending }, 'commands of an earlier start are brought to the log')
    await this.#look()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#looking
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

  /** Identity and clock of the next entry. */
  dot(seen: string | null): Pick<JournalEntry, 'clock' | 'node' | 'incarnation' | 'n'> {
    const { node, incarnation } = this.#options
    return { clock: this.#hybrid.stamp(seen), node, incarnation, n: ++this.#n }
  }

  /** What is accepted from now on is later than this. */
  heard(clock: string): void {
    this.#hybrid.remember(clock)
  }

  write(entries: readonly JournalEntry[]): Promise<void> {
    return this.#options.journal.write(entries)
  }

  settle(entry: JournalEntry): void {
    this.#options.journal.settle(entry)
  }

  pend(ref: ActorRef): void {
    this.#pending.set(formatActorRef(ref), ref)
    this.#plan(PROBE_MS)
  }

  settled(ref: ActorRef): void {
    this.#pending.delete(formatActorRef(ref))
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
      if (this.#away) log.info({ pending: this.#options.journal.pending }, 'Postgres is back')
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
