/** Live figures of a node: written and read here, told to the others as they change, and to the log now and then. */
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { LiveFrame } from '../core/ports.ts'
import { sourceOf } from '../core/source.ts'
import { createSteadyTime } from '../core/steady-time.ts'
import type { OutgoingEvent } from '../machines/define.ts'
import { fits, type LiveDefinition } from '../machines/live-fields.ts'
import type { LiveHandle, LiveState, LiveStateOptions, LiveStats } from './api.ts'
import { createChanges, type LiveChange } from './changes.ts'
import type { LiveDocument } from './document.ts'
import { Flusher } from './flusher.ts'
import { createKept } from './kept.ts'
import { createMembers } from './members.ts'
import { type Delta, encodeDigest, encodeSign, parseMessage } from './message.ts'
import { createOutgoing } from './outgoing.ts'
import { Periods } from './periods.ts'
import { ANSWER_MS, createRepairs } from './repairs.ts'
import { presentDocument, Replica, type Subject } from './replica.ts'
import { createStamps, DRIFT_MS } from './stamps.ts'
import { createWindow, type Window } from './window.ts'
import { checkWrite, createWaitingWrites, type Write, writesOf } from './writes.ts'

/** Writes of so long travel together. */
const WINDOW_MS = 4
const TICK_MS = 1_000
const BEAT_MS = 3_000
/** A node that was not heard for so long is taken for gone: its viewers no longer count. */
const SILENT_MS = 10_000
const DIGEST_MS = 30_000
const MAX_ACTORS = 50_000

export function createLiveState(options: LiveStateOptions): LiveState {
  return new LiveNode(options)
}

class LiveNode implements LiveState {
  readonly #options: LiveStateOptions
  readonly #self: string
  readonly #definitions: ReadonlyMap<string, LiveDefinition>
  readonly #replica: Replica
  readonly #members
  /** A node that stood still has not heard that others fell silent. */
  readonly #time: () => number
  readonly #stamps = createStamps()
  readonly #changes
  readonly #outgoing
  readonly #repairs
  readonly #waiting = createWaitingWrites()
  readonly #periods: Periods
  readonly #flusher: Flusher
  readonly #counts = { writes: 0, applied: 0, received: 0, malformed: 0, refused: 0, repairs: 0, flushes: 0 }
  #cancels: (() => void)[] = []
  readonly #window: Window
  #beatAt = 0
  #digestAt = 0
  #stopped = false

  constructor(options: LiveStateOptions) {
    this.#options = options
    this.#time = createSteadyTime(options.clock, 2 * TICK_MS)
    this.#self = sourceOf(options)
    const declared = [...options.entities].flatMap(({ type, live }) => (live ? [[type, live] as const] : []))
    this.#definitions = new Map(declared)
    this.#replica = new Replica(this.#definitions, options.maxActors ?? MAX_ACTORS)
    this.#members = createMembers(this.#self, SILENT_MS)
    this.#changes = createChanges(this.#isAlive, options.log)
    this.#outgoing = createOutgoing(this.#self, options.bus)
    this.#window = createWindow(options.clock, WINDOW_MS, () => {
      this.#outgoing.flush()
      this.#changes.emit()
    })
    const shared = { ...options, replica: this.#replica, members: this.#members, self: this.#self, time: this.#time }
    const { bus } = options
    this.#repairs = createRepairs({ ...shared, say: json => bus.publishLive(json), send: this.#outgoing.send })
    this.#periods = new Periods({
      ...shared,
      answered: subject => this.#resolved(subject),
      began: createKept({ ...shared, nextStamp: this.#nextStamp }),
      isAtRest: subject => !this.#waiting.has(subject) && this.#flusher.isAtRest(subject),
    })
    this.#flusher = new Flusher({
      ...shared,
      flushed: () => void this.#counts.flushes++,
      refused: subject => this.#periods.askAgain(subject),
    })
  }

  async start(): Promise<void> {
    if (this.#cancels.length > 0) return
    const { bus } = this.#options
    this.#cancels = [bus.onLive(frame => this.#receive(frame)), bus.onGap(this.#missed)]
    this.#beat()
    this.#planTick()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    for (const cancel of this.#cancels) cancel()
    this.#window.cancel()
    this.#outgoing.flush()
    await this.#flusher.stop()
    this.#options.bus.publishLive(encodeSign('leave'))
  }

  handle(actor: ActorRef): LiveHandle {
    const definition = this.#definitions.get(actor.type)
    if (definition === undefined)
      throw new AppError(
        'unknown_type',
        `Actors of type '${actor.type}' have no live figures. There are for: ${[...this.#definitions.keys()].join(', ')}.`,
      )
    return {
      set: (field, value) => this.#write(actor, definition, [{ field, value, add: false }]),
      add: (field, value) => this.#write(actor, definition, [{ field, value, add: true }]),
      write: figures => this.#write(actor, definition, writesOf(figures)),
      read: () => {
        const subject = this.#replica.find(actor.type, actor.id)
        const document = subject === undefined ? undefined : presentDocument(subject)
        return document?.values(this.#isAlive) ?? {}
      },
      opened: async () => {
        const subject = this.#subject(actor)
        if (subject.period === undefined) await this.#periods.ask(subject)
        return typeof subject.period === 'string'
      },
    }
  }

  onChange(pattern: string, listener: (change: LiveChange) => void): () => void {
    return this.#changes.subscribe(pattern, listener)
  }

  heard(events: readonly LogEvent[]): void {
    if (this.#stopped) return
    for (const event of events) {
      const subject = this.#replica.find(event.actorType, event.actorId)
      if (subject === undefined) continue
      const document = presentDocument(subject)
      if (document !== undefined) this.#flusher.told(document, event)
      if (subject.definition.lifecycle.includes(event.type)) this.#periods.askAgain(subject)
    }
  }

  before(actor: ActorRef, eventType: string): readonly OutgoingEvent[] {
    const subject = this.#replica.find(actor.type, actor.id)
    if (subject === undefined || !subject.definition.lifecycle.includes(eventType)) return []
    const document = presentDocument(subject)
    return document === undefined ? [] : this.#flusher.due(document)
  }

  stats(): LiveStats {
    return { actors: this.#replica.size, nodes: this.#members.alive.size, sent: this.#outgoing.sent, ...this.#counts }
  }

  readonly #isAlive = (writer: string): boolean => this.#members.isAlive(writer)

  readonly #nextStamp = (): number => this.#stamps.next(this.#options.clock.now())

  #subject({ type, id }: ActorRef): Subject {
    const subject = this.#replica.subject(type, id, this.#time())
    if (subject !== undefined) return subject
    throw new AppError(
      'overloaded',
      'The node holds as many actors with live figures as it may. The figure was not taken; send it again later.',
    )
  }

  #write(actor: ActorRef, definition: LiveDefinition, writes: readonly Write[]): void {
    for (const write of writes) checkWrite(actor, definition, write, this.#options.clock.now())
    const subject = this.#subject(actor)
    for (const write of writes) {
      this.#counts.writes++
      const document = this.#waiting.has(subject) ? undefined : (presentDocument(subject) ?? this.#open(subject))
      if (document !== undefined) this.#apply(document, subject, write)
      else if (subject.period === null) this.#counts.refused++
      else {
        this.#waiting.add(subject, write)
        this.#periods.askLater(subject)
      }
    }
  }

  /** Where the log could not be asked, the only time that peers have told of is taken for the present one. */
  #resolved(subject: Subject): void {
    const document = presentDocument(subject) ?? this.#open(subject)
    if (document === undefined && subject.period === undefined) return
    const writes = this.#waiting.take(subject)
    if (document === undefined) this.#counts.refused += writes.length
    else for (const write of writes) this.#apply(document, subject, write)
  }

  #open(subject: Subject): LiveDocument | undefined {
    return typeof subject.period === 'string' ? this.#replica.document(subject, subject.period) : undefined
  }

  #apply(document: LiveDocument, subject: Subject, { field, value, add }: Write): void {
    const rule = document.definition.fields[field]
    if (rule === undefined) return
    const now = this.#options.clock.now()
    const known = document.own(field, this.#self)
    const limit = 'max' in rule ? rule.max : 0
    const next = add ? Math.min(Math.max(Number(known ?? 0) + Number(value), 0), limit) : value
    if (next === known || !document.apply(field, this.#self, this.#stamps.next(now), next)) return
    subject.changedAt = this.#time()
    this.#changed(document, field)
    this.#outgoing.add(document, field)
    for (const peak of this.#raisePeaks(document, field)) this.#outgoing.add(document, peak)
  }

  /** Every node raises them by itself; the figures meet in the digests. */
  #raisePeaks(document: LiveDocument, field: string): readonly string[] {
    const raised = document.raisePeaks(field, this.#self, this.#nextStamp, this.#isAlive)
    for (const peak of raised) this.#changed(document, peak)
    return raised
  }

  #changed(document: LiveDocument, field: string): void {
    this.#flusher.changed(document)
    this.#changes.add(document, field)
    if (!this.#stopped) this.#window.open()
  }

  #receive({ node, incarnation, payload }: LiveFrame): void {
    const message = parseMessage(payload)
    if (message === undefined) return void this.#counts.malformed++
    this.#counts.received++
    const writer = sourceOf({ node, incarnation })
    if (message.kind === 'leave') {
      this.#repairs.forget(writer)
      if (this.#members.gone(writer)) this.#recount(new Set([writer]))
      return
    }
    if (this.#members.heard(writer, this.#time())) this.#recount(new Set([writer]))
    if (message.kind === 'delta') for (const delta of message.deltas) this.#take(delta)
    else if (this.#repairs.heard(writer, message, this.#time())) this.#counts.repairs++
  }

  #take({ type, id, period, entries }: Delta): void {
    const now = this.#options.clock.now()
    // Others may let go of it a little later than this node did: it does not come back by them.
    if (this.#replica.isDispensable(type, id, entries, now)) return
    const subject = this.#replica.subject(type, id, this.#time())
    const document = subject === undefined ? undefined : this.#replica.document(subject, period)
    if (subject === undefined || document === undefined) {
      this.#counts.refused += entries.length
      // Of another time than the one we know: one of us is behind.
      if (subject !== undefined && this.#time() - subject.askedAt >= ANSWER_MS) this.#periods.askLater(subject)
      return
    }
    for (const { field, writer, n, value } of entries) {
      const rule = subject.definition.fields[field]
      if (
        rule === undefined ||
        !fits(rule, value, now, DRIFT_MS) ||
        (rule.rule === 'lww' && !this.#stamps.observe(n, now))
      ) {
        this.#counts.refused++
        continue
      }
      if (!document.apply(field, writer, n, value)) continue
      this.#counts.applied++
      subject.changedAt = this.#time()
      this.#changed(document, field)
      this.#raisePeaks(document, field)
    }
  }

  /** Nodes came or went: what they set counts, or counts no longer. */
  #recount(writers: ReadonlySet<string>): void {
    for (const document of this.#replica.documents())
      for (const { field, writer } of document.entries()) if (writers.has(writer)) this.#changed(document, field)
  }

  readonly #missed = (): void => {
    this.#periods.missed()
    this.#digestAt = 0
  }

  #planTick(): void {
    this.#cancels[2] = this.#options.clock.after(TICK_MS, () => {
      this.#planTick()
      this.#tick()
    })
  }

  #tick(): void {
    const now = this.#time()
    const silent = this.#members.expire(now)
    for (const writer of silent) this.#repairs.forget(writer)
    if (silent.length > 0) this.#recount(new Set(silent))
    if (now - this.#beatAt >= BEAT_MS) this.#beat()
    this.#periods.tick()
    this.#flusher.tick()
  }

  #beat(): void {
    const { bus } = this.#options
    this.#beatAt = this.#time()
    const digest = this.#beatAt - this.#digestAt >= DIGEST_MS
    if (digest) this.#digestAt = this.#beatAt
    bus.publishLive(digest ? encodeDigest(this.#replica.digest()) : encodeSign('beat'))
  }
}
