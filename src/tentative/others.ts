/**
 * What others have accepted beside the log, as far as this node has heard: let through in causal order, kept until the log
 * has it. Pure but for its own state.
 */

import { incarnationOf, nodeOf, sourceOf } from '../core/source.ts'
import { type Dot, dropSources, formatDot, includesDot, type VersionVector, withDot } from '../core/version-vector.ts'
import type { SharedEntry } from '../journal/journal-entry.ts'
import { type CausalEvent, type CausalInbox, takeIn } from '../merge/causal-inbox.ts'

/** An event of another node. */
export interface Held extends CausalEvent {
  readonly entry: SharedEntry
  readonly bytes: number
  /**
   * Undefined until its writer, or the log, says that it is settled: then whoever has read the log up to this version of
   * the actor lets go of it; with null, whoever reads the log after it was told.
   */
  settledAt: number | null | undefined
}

export interface OthersLimits {
  readonly count: number
  readonly bytes: number
}

const NONE: readonly Held[] = []
/** Nodes whose newest start is remembered. */
const MAX_NODES = 4_096

export class Others {
  readonly #node: string
  readonly #limits: OthersLimits
  readonly #isAlive: (source: string) => boolean
  #inbox: CausalInbox<Held> = { held: new Map(), waiting: [] }
  /** Incarnations that are over → the last of theirs that was held here. */
  #sealed: VersionVector = new Map()
  readonly #newest = new Map<string, number>()
  /** Node → its newest start that is over. */
  readonly #over = new Map<string, number>()
  /** By actor, in the order they were let through. */
  readonly #byActor = new Map<string, Held[]>()
  readonly #byDot = new Map<string, Held>()
  #count = 0
  #bytes = 0

  /**
   * @param node this one: what it wrote itself, it has
   * @param isAlive whether an incarnation was heard lately: of two that have one name, none is over
   */
  constructor(node: string, limits: OthersLimits, isAlive: (source: string) => boolean) {
    this.#node = node
    this.#isAlive = isAlive
    this.#limits = limits
  }

  get held(): VersionVector {
    return this.#inbox.held
  }

  get sealed(): VersionVector {
    return this.#sealed
  }

  get newest(): ReadonlyMap<string, number> {
    return this.#newest
  }

  get stats(): { readonly others: number; readonly waiting: number; readonly bytes: number } {
    return { others: this.#count, waiting: this.#inbox.waiting.length, bytes: this.#bytes }
  }

  of(type: string, id: number): readonly Held[] {
    return this.#count === 0 ? NONE : (this.#byActor.get(`${type}/${id}`) ?? NONE)
  }

  /** Whether something is known to have been accepted that cannot be let through yet. */
  isWaitingFor(type: string, id: number): boolean {
    const { waiting } = this.#inbox
    return waiting.length > 0 && waiting.some(({ entry }) => entry.actorType === type && entry.actorId === id)
  }

  /** Those of which nobody has said that they are settled. */
  pending(): readonly Held[] {
    return [...this.#byActor.values()].flat().filter(({ settledAt }) => settledAt === undefined)
  }

  /**
   * `held`: it is there, or had been. `waiting`: something it rests on is not. `over`: of an incarnation that is over.
   * `full`: there is no room; nothing of it is kept.
   */
  take(entry: SharedEntry, after: number, bytes: number): 'held' | 'waiting' | 'over' | 'full' {
    const source = sourceOf(entry)
    const dot: Dot = [source, entry.n]
    if (this.isOver(source)) return 'over'
    if (includesDot(this.held, dot)) return 'held'
    const here = this.#inbox.waiting.find(other => other.dot[0] === source && other.dot[1] === entry.n)
    const knows = this.#needs(entry.extra ?? [], source, after)
    if (here !== undefined) this.#inbox = { ...this.#inbox, waiting: this.#inbox.waiting.filter(one => one !== here) }
    else {
      if (this.#count + this.#inbox.waiting.length >= this.#limits.count) return 'full'
      if (this.#bytes + bytes > this.#limits.bytes) return 'full'
      this.#bytes += bytes
    }
    this.#letThrough({ dot, knows, entry, bytes, settledAt: undefined })
    return includesDot(this.held, dot) ? 'held' : 'waiting'
  }

  /**
   * One of another's is settled.
   * @param actor where it is known by the log
   * @param version of its actor
   */
  settle([source, n]: Dot, actor: Pick<SharedEntry, 'actorType' | 'actorId'> | undefined, version: number): void {
    const known = this.#byDot.get(formatDot([source, n]))
    if (known !== undefined && typeof known.settledAt !== 'number') known.settledAt = version
    this.#forgetWaiting(({ dot }) => dot[0] === source && dot[1] === n)
    // With those that wait for it: nothing is to come of it any more.
    this.#change(one => {
      const isOfActor = one.entry.actorType === actor?.actorType && one.entry.actorId === actor.actorId
      return isOfActor || one.dot[0] === source ? withoutNeed(one, [source, n]) : one
    })
  }

  /** What its writer says of all it wrote: `isPending` answers for those up to `last`. Returns whether some are missed here. */
  stand(source: string, last: number, pending: readonly (readonly [number, number])[]): boolean {
    const isPending = (n: number) => pending.some(([from, to]) => n >= from && n <= to)
    for (const list of this.#byActor.values())
      for (const one of list)
        if (one.dot[0] === source && one.dot[1] <= last && one.settledAt === undefined && !isPending(one.dot[1]))
          one.settledAt = null
    this.#forgetWaiting(({ dot }) => dot[0] === source && dot[1] <= last && !isPending(dot[1]))
    // All before its first pending one is over; so is all where nothing is.
    const first = pending.find(([, to]) => to > (this.held.get(source) ?? 0))
    const floor = first === undefined ? last : Math.max(first[0] - 1, 0)
    if (floor > (this.held.get(source) ?? 0)) {
      this.#inbox = { ...this.#inbox, held: withDot(this.held, [source, floor]) }
      this.#letThrough()
    }
    return (this.held.get(source) ?? 0) < last
  }

  /** A start of a node was heard: earlier ones are over, but for those that it says have something left. */
  began(node: string, incarnation: number, prior: readonly string[]): void {
    const known = this.#newest.get(node)
    if (known !== undefined && known > incarnation) return
    this.#newest.set(node, incarnation)
    if (this.#newest.size > MAX_NODES) for (const oldest of this.#newest.keys()) return void this.#newest.delete(oldest)
    const waiting = this.#inbox.waiting.flatMap(({ dot, knows }) => [dot[0], ...knows.keys()])
    for (const source of new Set([...this.held.keys(), ...waiting]))
      if (nodeOf(source) === node && this.#isPast(source) && !this.#sealed.has(source) && !prior.includes(source))
        this.#seal(source)
  }

  /** Nothing more comes of this incarnation: what is held of it is in the log, or lost. */
  #seal(source: string): void {
    this.#sealed = new Map([...this.#sealed, [source, this.held.get(source) ?? 0]])
    this.#over.set(nodeOf(source), Math.max(this.#over.get(nodeOf(source)) ?? 0, incarnationOf(source)))
    for (const list of this.#byActor.values())
      for (const one of list) if (one.dot[0] === source && one.settledAt === undefined) one.settledAt = null
    this.#forgetWaiting(({ dot }) => dot[0] === source)
    this.#change(one => ({ ...one, knows: dropSources(one.knows, new Set([source])) }))
  }

  /** Sealed here: nothing of it is taken any more. */
  isOver(source: string): boolean {
    return this.#sealed.has(source) || (this.#over.get(nodeOf(source)) ?? 0) >= incarnationOf(source)
  }

  /** A later start of its node was heard, and it was not. */
  #isPast(source: string): boolean {
    const newest = this.#newest.get(nodeOf(source))
    return newest !== undefined && incarnationOf(source) < newest && !this.#isAlive(source)
  }

  /** Vectors no longer name these. */
  drop(sources: ReadonlySet<string>): void {
    this.#inbox = { ...this.#inbox, held: dropSources(this.held, sources) }
    this.#sealed = dropSources(this.#sealed, sources)
  }

  /** Whoever reads the actor does not need these any more. */
  release(gone: readonly Held[]): void {
    for (const one of gone) {
      const key = `${one.entry.actorType}/${one.entry.actorId}`
      const list = this.#byActor.get(key) ?? []
      if (!list.includes(one)) continue
      const left = list.filter(other => other !== one)
      if (left.length === 0) this.#byActor.delete(key)
      else this.#byActor.set(key, left)
      this.#count--
      this.#byDot.delete(formatDot(one.dot))
      this.#bytes -= one.bytes
    }
  }

  /** Lets go of what is settled, of actors that nobody has in memory: their next reader begins at the log. */
  sweep(isInMemory: (type: string, id: number) => boolean): void {
    for (const list of [...this.#byActor.values()])
      this.release(
        list.filter(
          ({ entry, settledAt }) => settledAt !== undefined && !isInMemory(entry.actorType, Number(entry.actorId)),
        ),
      )
  }

  #needs(extra: readonly Dot[], source: string, after: number): VersionVector {
    const others = extra.filter(
      ([other]) => !this.isOver(other) && !this.#isPast(other) && nodeOf(other) !== this.#node,
    )
    const own: readonly Dot[] = after > 0 ? [[source, after]] : []
    return new Map([...others, ...own])
  }

  #letThrough(event?: Held): void {
    const { inbox, ready } =
      event === undefined ? again(this.#inbox, this.#sealed) : takeIn(this.#inbox, event, this.#sealed)
    const dropped = new Set(event === undefined ? this.#inbox.waiting : [...this.#inbox.waiting, event])
    for (const one of [...inbox.waiting, ...ready]) dropped.delete(one)
    for (const one of dropped) this.#bytes -= one.bytes
    this.#inbox = inbox
    for (const one of ready) {
      this.#count++
      this.#byDot.set(formatDot(one.dot), one)
      const key = `${one.entry.actorType}/${one.entry.actorId}`
      const list = this.#byActor.get(key)
      if (list === undefined) this.#byActor.set(key, [one])
      else list.push(one)
    }
  }

  #change(change: (one: Held) => Held): void {
    if (this.#inbox.waiting.length === 0) return
    this.#inbox = { ...this.#inbox, waiting: this.#inbox.waiting.map(change) }
    this.#letThrough()
  }

  #forgetWaiting(isGone: (one: Held) => boolean): void {
    for (const one of this.#inbox.waiting.filter(isGone)) this.#bytes -= one.bytes
    this.#inbox = { ...this.#inbox, waiting: this.#inbox.waiting.filter(one => !isGone(one)) }
  }
}

/** Takes in anew what waits. */
function again(inbox: CausalInbox<Held>, sealed: VersionVector) {
  let next: CausalInbox<Held> = { held: inbox.held, waiting: [] }
  const ready: Held[] = []
  for (const one of inbox.waiting) {
    const taken = takeIn(next, one, sealed)
    next = taken.inbox
    ready.push(...taken.ready)
  }
  return { inbox: next, ready }
}

/**
 * What it rests on, without one that is settled. Of what its writer wrote itself, all before that is still to come; of
 * another's, the log has all that there is of the same actor.
 */
function withoutNeed(one: Held, [source, n]: Dot): Held {
  const needed = one.knows.get(source)
  if (needed === undefined || needed > n) return one
  if (source !== one.dot[0]) return { ...one, knows: dropSources(one.knows, new Set([source])) }
  return needed === n && n > 1 ? { ...one, knows: new Map([...one.knows, [source, n - 1]]) } : one
}
