/** Tells other nodes what this one accepted beside the log, hears the same of them, and sends again what they miss. */
import type { LogEvent } from '../core/event.ts'
import { parseHybridTime } from '../core/hybrid-clock.ts'
import type { Bus, Clock, LiveFrame } from '../core/ports.ts'
import { incarnationOf, nodeOf, sourceOf } from '../core/source.ts'
import { createSteadyTime } from '../core/steady-time.ts'
import { includesDot, mergeVectors, type VersionVector } from '../core/version-vector.ts'
import type { JournalEntry, SharedEntry } from '../journal/journal-entry.ts'
import { upcast } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { isMergeable } from '../merge/merge-event.ts'
import { isStable, type Promises, promisesOfLiving } from '../merge/stability.ts'
import type { TentativeExchange, TentativeStats } from './api.ts'
import { encodeEntries, encodeSettled, encodeStanding, parseTentative, type Shared, type Standing } from './message.ts'
import { type Held, Others } from './others.ts'
import { Own } from './own.ts'

/** Each node says so often where it stands. */
const STANDING_MS = 2_000
/** A node that was not heard for so long is taken for gone: others may send what it wrote. */
const SILENT_MS = 10_000
/** What is settled within so long is told together. */
const WINDOW_MS = 4
/** A node is answered, and asks, at most so often. */
const ANSWER_MS = 200
/** What a node may get in one answer. */
const MAX_ANSWER = 2_048
const MAX_NODES = 1_024
/** Clocks and leases of nodes may be apart by this: what comes from further ahead would win over everything written until then. */
const DRIFT_MS = 5 * 60_000
const LIMITS = { count: 20_000, bytes: 32 * 1024 * 1024 }

export interface TentativeOptions {
  readonly node: string
  readonly incarnation: number
  readonly bus: Pick<Bus, 'publishTentative' | 'onTentative' | 'onGap'>
  readonly clock: Clock
  readonly entities: readonly EntityDefinition[]
  readonly limits?: { readonly count: number; readonly bytes: number }
  /** How far this node's own clock is leased, in milliseconds: no lower than that of any other was a minute ago. */
  readonly ceiling?: () => number | undefined
}

export function createTentativeExchange(options: TentativeOptions): TentativeExchange {
  return new Exchange(options)
}

class Exchange implements TentativeExchange {
  readonly #options: TentativeOptions
  readonly #self: string
  readonly #time: () => number
  readonly #entities: ReadonlyMap<string, EntityDefinition>
  readonly #own: Own
  readonly #others: Others
  /** Source → when it was heard last, when it was answered last, and what it said it holds. */
  readonly #nodes = new Map<string, { heardAt: number; answeredAt: number; holds: VersionVector }>()
  readonly #counts = { sent: 0, received: 0, malformed: 0, refused: 0, dropped: 0, repairs: 0 }
  #unsaid: [n: number, version: number][] = []
  #saidAt = Number.NEGATIVE_INFINITY
  #cancels: (() => void)[] = []
  #cancelTick = () => {}
  #cancelWindow: (() => void) | undefined

  constructor(options: TentativeOptions) {
    this.#options = options
    this.#self = sourceOf(options)
    this.#time = createSteadyTime(options.clock, 2 * STANDING_MS)
    this.#entities = new Map(options.entities.map(entity => [entity.type, entity]))
    this.#own = new Own(this.#self)
    this.#others = new Others(options.node, options.limits ?? LIMITS, source => this.#isAlive(source))
  }

  async start(): Promise<void> {
    if (this.#cancels.length > 0) return
    const { bus } = this.#options
    this.#cancels = [bus.onTentative(frame => this.#receive(frame)), bus.onGap(() => this.#sayStanding())]
    this.#tick()
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel()
    this.#cancelTick()
    this.#flush()
    this.#send([JSON.stringify({ kind: 'leave' })])
  }

  accepted(entries: readonly JournalEntry[]): void {
    this.#send(encodeEntries(entries.map(entry => this.#own.add(entry))))
  }

  restored(entry: JournalEntry): void {
    this.#own.restore(entry)
  }

  settled(entry: JournalEntry, version: number): void {
    if (!this.#own.settle(entry)) return
    this.#unsaid.push([entry.n, version])
    this.#cancelWindow ??= this.#options.clock.after(WINDOW_MS, () => this.#flush())
  }

  logged(events: readonly LogEvent[]): void {
    for (const { origin, version, actorType, actorId } of events)
      if (origin !== undefined && this.#others.stats.others + this.#others.stats.waiting > 0)
        this.#others.settle([sourceOf(origin), origin.n], { actorType, actorId }, version)
  }

  of(type: string, id: number): readonly Held[] {
    return this.#others.of(type, id)
  }

  isWaitingFor(type: string, id: number): boolean {
    return this.#others.isWaitingFor(type, id)
  }

  release(gone: readonly Held[]): void {
    if (gone.length > 0) this.#others.release(gone)
  }

  sweep(isInMemory: (type: string, id: number) => boolean): void {
    this.#others.sweep(isInMemory)
  }

  stats(): TentativeStats {
    return { own: this.#own.pending, ...this.#others.stats, ...this.#counts }
  }

  #receive({ node, incarnation, payload }: LiveFrame): void {
    const message = parseTentative(payload)
    if (message === undefined) return void this.#counts.malformed++
    const from = sourceOf({ node, incarnation })
    if (from === this.#self) return
    this.#counts.received++
    if (this.#others.isOver(from)) return void this.#counts.refused++
    const peer = this.#heard(from)
    if (message.kind === 'leave') this.#nodes.delete(from)
    else if (message.kind === 'entries') this.#takeAll(from, message.entries)
    else if (message.kind === 'settled')
      for (const [n, version] of message.settled) this.#others.settle([from, n], undefined, version)
    else {
      this.#others.began(node, incarnation, message.prior)
      if (this.#others.stand(from, message.last, message.pending)) this.#ask()
      peer.holds = this.#heldOf(message)
      this.#answer(peer, message.held)
      this.#forgetSealed()
    }
  }

  #takeAll(from: string, entries: readonly Shared[]): void {
    let isAsking = false
    for (const { entry, after } of entries) {
      const source = sourceOf(entry)
      // What this node wrote, or has, comes back from those who could not hear.
      if (source === this.#self || includesDot(this.#others.held, [source, entry.n])) continue
      // Others speak only for those that are silent here.
      const isRefused = source !== from && this.#isAlive(source)
      if (isRefused || this.#isAhead(entry)) this.#counts.refused++
      else if (!this.#isReadable(entry)) this.#counts.dropped++
      else {
        const outcome = this.#others.take(entry, after, JSON.stringify(entry).length)
        if (outcome === 'over') this.#counts.refused++
        if (outcome === 'full') this.#counts.dropped++
        isAsking ||= outcome === 'waiting'
      }
    }
    if (isAsking) this.#ask()
  }

  /** What this code cannot merge would be shown wrong. */
  #isReadable(entry: SharedEntry): boolean {
    const entity = this.#entities.get(entry.actorType)
    if (entity === undefined || !isMergeable(entity, entry.type)) return false
    try {
      const definition = entity.events[entry.type]
      return (
        definition?.schema.safeParse(upcast(entity, { ...entry, version: 0, position: 0 } as never)).success === true
      )
    } catch {
      return false
    }
  }

  /** A start that follows on a lost disk is rightly ahead of every wall clock, by as much as was leased. */
  #isAhead(entry: SharedEntry): boolean {
    const { clock, ceiling } = this.#options
    const time = parseHybridTime(entry.clock)
    return time === undefined || time.wall > Math.max(clock.now(), ceiling?.() ?? 0) + DRIFT_MS
  }

  /** What the other misses of this node, and of those that are silent. */
  #answer(peer: { answeredAt: number }, held: VersionVector): void {
    const now = this.#time()
    if (now - peer.answeredAt < ANSWER_MS) return
    const missed = [...this.#own.after(held.get(this.#self) ?? 0, MAX_ANSWER), ...this.#ofSilent(held)]
    if (missed.length === 0) return
    peer.answeredAt = now
    this.#counts.repairs++
    this.#send(encodeEntries(missed.slice(0, MAX_ANSWER)))
  }

  #ofSilent(held: VersionVector): readonly Shared[] {
    const last = new Map<string, number>()
    return (
      this.#others
        .pending()
        .filter(({ dot }) => !this.#isAlive(dot[0]))
        // They are kept by actor; each names the one of its writer before it.
        .sort((one, other) => one.dot[1] - other.dot[1])
        .map(({ dot, entry }) => {
          const after = last.get(dot[0]) ?? 0
          last.set(dot[0], dot[1])
          return { dot, entry, after }
        })
        .filter(({ dot }) => !includesDot(held, dot))
    )
  }

  #heard(source: string) {
    const known = this.#nodes.get(source)
    const node = known ?? { heardAt: 0, answeredAt: Number.NEGATIVE_INFINITY, holds: new Map() as VersionVector }
    node.heardAt = this.#time()
    if (known === undefined && this.#nodes.size < MAX_NODES) this.#nodes.set(source, node)
    return node
  }

  #isAlive(source: string): boolean {
    const node = this.#nodes.get(source)
    return node !== undefined && this.#time() - node.heardAt < SILENT_MS
  }

  /** An incarnation that a node knows to be over counts as held by it, to the last: it takes nothing more of it. */
  #heldOf({ held, newest }: Standing): VersionVector {
    const over = [...this.#others.sealed].filter(
      ([source]) => (newest.get(nodeOf(source)) ?? -1) > incarnationOf(source),
    )
    return mergeVectors(held, new Map(over))
  }

  /** What is over is named in no vector once all who live have promised to hold it. */
  #forgetSealed(): void {
    const { sealed, held } = this.#others
    if (sealed.size === 0) return
    const live = [...this.#nodes.keys()].filter(source => this.#isAlive(source) && !this.#others.isOver(source))
    const promises: Promises = new Map([...this.#nodes].map(([source, { holds }]) => [source, holds]))
    const membership = { live, sealed }
    const counted = promisesOfLiving(promises, membership)
    const gone = [...sealed].filter(dot => isStable(dot, held, counted, membership)).map(([source]) => source)
    if (gone.length > 0) this.#others.drop(new Set(gone))
  }

  #ask(): void {
    if (this.#time() - this.#saidAt >= ANSWER_MS) this.#sayStanding()
  }

  #sayStanding(): void {
    const { node, incarnation } = this.#options
    this.#saidAt = this.#time()
    const { held } = this.#others
    const newest = new Map([...this.#others.newest, [node, incarnation]])
    this.#send([encodeStanding({ ...this.#own.standing(), held, newest })])
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(STANDING_MS, () => this.#tick())
    const now = this.#time()
    for (const [source, { heardAt }] of this.#nodes) if (now - heardAt >= SILENT_MS) this.#nodes.delete(source)
    this.#sayStanding()
  }

  #flush(): void {
    this.#cancelWindow?.()
    this.#cancelWindow = undefined
    this.#send(encodeSettled(this.#unsaid.splice(0)))
  }

  #send(messages: Iterable<string>): void {
    for (const json of messages) {
      this.#counts.sent++
      this.#options.bus.publishTentative(json)
    }
  }
}
