/** Leases from the log how far this start's stamps may go, and says which entries of earlier starts may keep theirs. */
import { AppError } from '../core/errors.ts'
import { formatHybridTime, parseHybridTime } from '../core/hybrid-clock.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { ClockLease as Lease, LeaseTerms, OpenStart, Register, StartRecord } from '../core/register.ts'
import { sourceOf } from '../core/source.ts'
import type { Journal } from '../journal/journal.ts'
import type { AdmittedEntry, JournalEntry } from '../journal/journal-entry.ts'
import type { ClockStatus } from './api.ts'
import { MAX_DRIFT_MS, OffsideClock, type Seen } from './offside-clock.ts'

/** How far ahead of the log's clock the ceiling is leased: so long can the log be away before no stamp is left. */
const LEASE_MS = 3_600_000
const RENEW_MS = 60_000

interface ClockLeaseOptions {
  readonly register: Register
  readonly journal: Journal
  readonly node: string
  readonly incarnation: number
  readonly clock: Clock
  readonly log: Logger
  readonly leaseMs?: number | undefined
}

export class ClockLease {
  readonly #options: ClockLeaseOptions
  readonly #terms: LeaseTerms
  readonly #renewMs: number
  /** Entries of earlier starts that the log does not have yet. */
  readonly #found: Set<JournalEntry>
  readonly #starts = new Map<number, StartRecord | undefined>()
  #hybrid: OffsideClock | undefined
  #n = 0
  #aheadMs = 0
  /** What the log's clock showed at the last renewal. */
  #logTime = 0
  #renewedAt = Number.NEGATIVE_INFINITY
  #restamped = 0
  #sealed = false
  #closed = false
  #cancel: (() => void) | undefined
  #renewing: Promise<void> | undefined

  constructor(options: ClockLeaseOptions) {
    const { leaseMs = LEASE_MS, journal } = options
    this.#options = options
    this.#renewMs = Math.min(RENEW_MS, leaseMs / 4)
    this.#terms = { aheadMs: leaseMs, aliveMs: 3 * this.#renewMs }
    this.#found = new Set(journal.found)
  }

  status(): ClockStatus {
    const ceiling = this.#hybrid?.ceiling
    return {
      refusing: this.#refusal() ?? null,
      aheadMs: this.#aheadMs,
      ceiling: ceiling === undefined ? null : new Date(ceiling).toISOString(),
      restamped: this.#restamped,
      ignored: this.#hybrid?.ignored ?? 0,
    }
  }

  /** Leases anew where it is time to. Throws AppError `log_unavailable`. */
  async keep(): Promise<void> {
    const since = this.#options.clock.now() - this.#renewedAt
    // A clock that was set back meanwhile is measured at once.
    if (since < 0 || since >= this.#renewMs) await this.renew()
  }

  /** Leases anew, by which the log shows that it can be written. Throws AppError `log_unavailable`. */
  async renew(): Promise<void> {
    if (this.#closed) return
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    await this.#renewing
    this.#plan()
  }

  /** Dot and clock of the next entry. Throws AppError `log_unavailable` where no stamp may be given out. */
  dot(seen: Seen): Pick<JournalEntry, 'clock' | 'node' | 'incarnation' | 'n'> {
    const refusal = this.#refusal()
    if (refusal !== undefined) throw unavailable(refusal)
    return this.#dot(this.#options.clock.now(), seen)
  }

  /**
   * The entry as it may go to the log: as it is, or under a dot and a time of this start where its own is sealed, or its
   * time lies where that start had leased none. Throws AppError `log_unavailable`, `fenced` (this start is sealed itself).
   */
  async admit(entry: JournalEntry): Promise<AdmittedEntry> {
    const { node, incarnation, log } = this.#options
    if (entry.node === node && entry.incarnation === incarnation && !this.#sealed) return entry
    await this.keep()
    if (this.#sealed)
      throw new AppError(
        'fenced',
        `What this start accepted while Postgres was away stays in its journal: ${superseded(node)}.`,
      )
    const why = this.#flaw(entry, await this.#start(entry.incarnation))
    if (why === undefined) return entry
    this.#restamped++
    const salvaged = { node: entry.node, incarnation: entry.incarnation, n: entry.n }
    log.warn({ ...salvaged, why }, 'an accepted command of an earlier start goes to the log under a new dot and time')
    // Where this node's clock is wrong, the log's is not: what was accepted is brought there all the same.
    return { ...entry, ...this.#dot(Math.min(this.#options.clock.now(), this.#logTime), { at: null }), salvaged }
  }

  /** The log has sealed the start of this entry: what is known of it is old. */
  wasSealed({ node, incarnation }: JournalEntry): void {
    this.#starts.delete(incarnation)
    if (node === this.#options.node && incarnation === this.#options.incarnation) this.#sealed = true
  }

  settled(entry: JournalEntry): void {
    this.#found.delete(entry)
  }

  /** Seals what is over, once nothing of it waits here any more. */
  async seal(): Promise<void> {
    const { register, journal, log } = this.#options
    if (this.#found.size > 0 || this.#hybrid === undefined || this.#sealed) return
    for (const { node, incarnation, sealedN } of await register.seal(journal.id))
      log.info({ start: `${node}/${incarnation}`, sealedN }, 'an earlier start of this node is over and sealed')
  }

  /** Gives out no stamp any more, and with an empty journal gives the rest of the lease back. */
  async stop(away: boolean): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#renewing?.catch(() => undefined)
    if (this.#hybrid === undefined || away) return
    const { register, journal, log } = this.#options
    const empty = journal.pending === 0
    await register
      .leave(empty ? this.#hybrid.wall + 1 : undefined)
      .catch(error => log.debug({ error: String(error) }, 'the lease of the clock was not given back'))
  }

  #plan(): void {
    this.#cancel?.()
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(this.#renewMs, () => {
      // While the log is away this fails, and whoever sees the log come back asks again.
      void this.keep()
        .then(() => this.seal())
        .catch(error => this.#options.log.debug({ error: String(error) }, 'the lease of the clock was not renewed'))
        .finally(() => this.#plan())
    })
  }

  async #renew(): Promise<void> {
    const { register, journal, clock, log } = this.#options
    const asked = clock.now()
    let lease: Lease | undefined
    if (this.#hybrid === undefined) {
      const entered = await register.enter(journal.id, this.#terms)
      await this.#enter(entered.open, entered.ceiling)
      lease = entered
    } else {
      lease = await register.renew(this.#hybrid.wall, this.#terms)
      if (lease === undefined && !this.#sealed) log.error({}, superseded(this.#options.node))
      if (lease === undefined) this.#sealed = true
      else this.#hybrid.raise(lease.ceiling)
    }
    this.#renewedAt = asked
    if (lease === undefined) return
    const drifted = this.#aheadMs > MAX_DRIFT_MS
    // The log's clock was read after we asked: our clock is ahead by no less than this, however long the answer took.
    this.#aheadMs = asked - lease.now
    this.#logTime = lease.now
    if (this.#aheadMs > MAX_DRIFT_MS && !drifted) log.error({ aheadMs: this.#aheadMs }, driftOf(this.#aheadMs))
  }

  async #enter(open: readonly OpenStart[], ceiling: number): Promise<void> {
    const { journal, incarnation, log } = this.#options
    const source = sourceOf(this.#options)
    const floor = floorOf(open, journal)
    const others = open.filter(start => start.journal !== journal.id)
    if (others.length > 0)
      log.warn(
        { starts: others.map(start => start.incarnation) },
        'this name was used with another journal: what that held is not known here, and times go on after all it may have given out',
      )
    await journal.begin(incarnation, formatHybridTime({ wall: floor, counter: 0, source }))
    this.#hybrid = new OffsideClock(source, floor, ceiling)
  }

  #dot(now: number, seen: Seen): Pick<JournalEntry, 'clock' | 'node' | 'incarnation' | 'n'> {
    const { node, incarnation } = this.#options
    const clock = this.#hybrid?.stamp(now, seen)
    if (clock === undefined)
      throw unavailable('the time that this node had leased from it has run out, or the last event is later than that')
    return { clock, node, incarnation, n: ++this.#n }
  }

  #refusal(): string | undefined {
    if (this.#closed) return 'the node is stopping'
    if (this.#sealed) return superseded(this.#options.node)
    if (this.#hybrid === undefined) return 'this node has not leased a time from it yet'
    return this.#aheadMs > MAX_DRIFT_MS ? driftOf(this.#aheadMs) : undefined
  }

  #flaw(entry: JournalEntry, start: StartRecord | undefined): string | undefined {
    const time = parseHybridTime(entry.clock)
    if (time === undefined) return 'its time cannot be read'
    if (start?.node === entry.node && start.sealedN !== null && entry.n > start.sealedN) return 'its start is sealed'
    // A start of another log, or of code without ceilings, is held to what this one may give out.
    const allowed = (start?.node === entry.node ? start.ceiling : null) ?? this.#hybrid?.ceiling ?? 0
    return time.wall > allowed + MAX_DRIFT_MS ? 'its time lies beyond what its start had leased' : undefined
  }

  async #start(incarnation: number): Promise<StartRecord | undefined> {
    if (!this.#starts.has(incarnation)) {
      const [record] = await this.#options.register.starts([incarnation])
      this.#starts.set(incarnation, record)
    }
    return this.#starts.get(incarnation)
  }
}

/**
 * A time after which all stamps of this start lie, and before which all of earlier starts do: the last one of them, where
 * the journal shows it, and the ceiling of whatever start may have given out some that nobody knows of.
 */
export function floorOf(
  open: readonly OpenStart[],
  { id, mark, found }: Pick<Journal, 'id' | 'mark' | 'found'>,
): number {
  let floor = 0
  // Of one journal the last start counts: it began where those before it had ended.
  for (const start of new Map(open.map(each => [each.journal, each])).values()) {
    const stamps = [
      mark?.clock,
      ...found.flatMap(entry => (entry.incarnation === start.incarnation ? entry.clock : [])),
    ]
    const shown = Math.max(0, ...stamps.map(text => (text && parseHybridTime(text)?.wall) || 0))
    // A copy of the journal from before the last renewal does not know all.
    const whole = start.journal === id && mark?.incarnation === start.incarnation && shown >= start.last
    floor = Math.max(floor, whole ? Math.min(shown, start.ceiling) : start.ceiling)
  }
  return floor
}

function unavailable(why: string): AppError {
  return new AppError(
    'log_unavailable',
    `Postgres is away, and nothing can be accepted until it is back: ${why}. What was acknowledged is safe. ` +
      'Retry with the same command id: it settles whether the command was taken.',
  )
}

function driftOf(aheadMs: number): string {
  return `the clock of this node is ${Math.round(aheadMs / 1_000)} s ahead of that of Postgres; set it right`
}

function superseded(node: string): string {
  return `another start of a node named ${node} has taken the place of this one; give each node a name of its own and start this one again`
}
