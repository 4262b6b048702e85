/** One actor's state with what was accepted beside the log on top, here and on other nodes: what its readers are shown. */
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import { sourceOf } from '../core/source.ts'
import type { Dot } from '../core/version-vector.ts'
import { vectorOf } from '../core/version-vector.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { rebase } from '../merge/rebase.ts'
import type { Held } from '../tentative/others.ts'
import type { Loaded } from './load.ts'
import { loggedEvent, pendingEvent } from './logged-event.ts'
import type { ActorPorts } from './ports.ts'

/** Events of the log that are kept for one actor; where more came after an entry, only the last count as concurrent with it. */
const MAX_TAIL = 1_024

export class Overlay {
  readonly #entity: EntityDefinition
  readonly #ref: ActorRef
  readonly #ports: ActorPorts
  /** By version, what the entries may not have known. Undefined for nearly all actors: an empty map takes 200 bytes. */
  #tail: Map<number, LogEvent> | undefined
  /** The state that was shown last with this node's own entries alone: each look would merge all of them again. */
  #top:
    | { readonly base: Loaded; readonly count: number; readonly last: JournalEntry; readonly shown: Loaded }
    | undefined

  constructor(entity: EntityDefinition, ref: ActorRef, ports: ActorPorts) {
    this.#entity = entity
    this.#ref = ref
    this.#ports = ports
  }

  /** What others accepted, as this node has heard. */
  get others(): readonly Held[] {
    return this.#ports.tentatives?.of(this.#ref.type, this.#ref.id) ?? []
  }

  /** Whether others accepted something that a copy of this version lacks, or that cannot be shown yet. */
  isBehind(version: number): boolean {
    const { tentatives } = this.#ports
    if (tentatives === undefined) return false
    return (
      tentatives.isWaitingFor(this.#ref.type, this.#ref.id) ||
      this.others.some(({ settledAt }) => settledAt !== undefined && (settledAt === null || settledAt > version))
    )
  }

  /** Those that whoever begins to read the log now needs no more, when it has. */
  over(): readonly Held[] {
    return this.others.filter(({ settledAt }) => settledAt === null)
  }

  release(over: readonly Held[]): void {
    if (over.length > 0) this.#ports.tentatives?.release(over)
  }

  heard(event: LogEvent, own: number): void {
    if (own + this.others.length > 0) this.#keep(event)
  }

  /** Reads what the entries may not have known, up to the version of a state that was read now. Throws AppError `log_unavailable`. */
  async read({ version }: Loaded, own: readonly JournalEntry[]): Promise<void> {
    const lowest = Math.min(version, ...own.map(({ basis }) => basis), ...this.others.map(({ entry }) => entry.basis))
    let from = Math.max(lowest + 1, version - MAX_TAIL + 1)
    while (from <= version && this.#tail?.has(from) === true) from++
    if (from > version) return
    for await (const events of this.#ports.store.readStream(this.#ref, { from, to: version })) {
      this.#ports.tentatives?.logged(events)
      for (const event of events) this.#keep(event)
    }
  }

  /** The state with all on top that was let through. */
  on(base: Loaded, own: readonly JournalEntry[]): Loaded {
    this.release(this.others.filter(({ settledAt }) => typeof settledAt === 'number' && settledAt <= base.version))
    const { others } = this
    if (own.length + others.length === 0) {
      this.#tail = undefined
      this.#top = undefined
      return base
    }
    const top = others.length === 0 ? this.#top : undefined
    if (top?.base === base && top.count === own.length && top.last === own.at(-1)) return top.shown
    const tail = [...(this.#tail?.values() ?? [])].filter(({ version }) => version <= base.version)
    const unsent = own.filter(entry => !tail.some(event => isSent(entry, event)))
    const entries = [...unsent, ...others.map(({ entry }) => entry)].sort((a, b) => (a.clock < b.clock ? -1 : 1))
    const log = tail.sort((a, b) => a.version - b.version).map(event => loggedEvent(this.#entity, event))
    const { state, at } = rebase(
      this.#entity,
      base,
      log,
      entries.map(entry => pendingEvent(this.#entity, entry)),
    )
    // What is decided knowing of these is later than they are.
    const clock = [base.clock ?? '', ...entries.map(entry => entry.clock)].sort().at(-1)
    const shown = { version: base.version, state, at, clock, pending: { own: own.length, others: others.length } }
    this.#keepTop(base, own, shown)
    return shown
  }

  /** The entries have grown by some that were decided on what was shown of the same base: each is beside none of them. */
  grown(base: Loaded, own: readonly JournalEntry[], { state, at, clock }: Loaded): void {
    const pending = { own: own.length, others: 0 }
    this.#keepTop(base, own, { version: base.version, state, at, clock, pending })
  }

  /** Dots of what is shown on top of the log, without those of `self`: with the version of the log, all that a reader of it knows. */
  extra(own: readonly JournalEntry[], self: string): readonly Dot[] {
    const dots = [...own, ...this.others.map(({ entry }) => entry)].map(entry => [sourceOf(entry), entry.n] as const)
    return [...vectorOf(dots.filter(([source]) => source !== self))]
  }

  #keepTop(base: Loaded, own: readonly JournalEntry[], shown: Loaded): void {
    const last = own.at(-1)
    this.#top = last === undefined || this.others.length > 0 ? undefined : { base, count: own.length, last, shown }
  }

  #keep(event: LogEvent): void {
    this.#top = undefined
    this.#tail ??= new Map()
    this.#tail.set(event.version, event)
    if (this.#tail.size > MAX_TAIL) this.#tail.delete(Math.min(...this.#tail.keys()))
  }
}

/** It went to the log before it was accepted here. */
function isSent({ doubtful, node, incarnation, type }: JournalEntry, event: LogEvent): boolean {
  return event.version === doubtful && event.node === node && event.incarnation === incarnation && event.type === type
}
