/** Live figures of a node: written and read here, told to the others as they change, and to the log now and then. */
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { Bus, Clock, LiveFrame, Logger, Service } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import { fits, type LiveDefinition, type LiveValue, type LiveValues } from '../machines/live-fields.ts'
import { createChanges, type LiveChange } from './changes.ts'
import { differing } from './digest.ts'
import type { LiveDocument } from './document.ts'
import { createFlushes } from './flushes.ts'
import { createMembers, lowest } from './members.ts'
import { type Delta, encodeDeltas, encodeDigest, encodeSign, parseMessage } from './message.ts'
import { presentDocument, Replica, type Subject } from './replica.ts'
import { createStamps, DRIFT_MS } from './stamps.ts'

/** Writes of so long travel together. */
const WINDOW_MS = 4
const TICK_MS = 1_000
const BEAT_MS = 3_000
/** A node that was not heard for so long is taken for gone: its viewers no longer count. */
const SILENT_MS = 10_000
const DIGEST_MS = 30_000
/** A node is answered at most so often: what it lacks comes in one go. */
const ANSWER_MS = 5_000
/** Actors whose figures stand still are looked up in the log so often, in case their end was missed. */
const RECHECK_MS = 5 * 60_000
/** Lookups, and events for the log, that are begun in a tick. */
const LOOKUPS = 50
const FLUSHES = 1_000
/** Of this many intervals without an event another node than the one in charge tells the log. */
const OVERDUE = 3
const MAX_ACTORS = 50_000

export interface LiveHandle {
  /** Throws AppError `invalid_input` (no such field, or not a value of it), `overloaded`. */
  set(field: string, value: LiveValue): void
  /** Adds to what this node has set. Throws as `set`. */
  add(field: string, amount: number): void
  /** Sets and adds together: all of them, or none where one is refused. Throws as `set`. */
  write(figures: LiveWrites): void
  /** Merged over all nodes; empty where the actor is in no time with live figures. */
  read(): LiveValues
  /** Asks the log once whether the actor takes live figures now. Throws AppError `log_unavailable`. */
  opened(): Promise<boolean>
}

export interface LiveWrites {
  readonly set?: LiveValues | undefined
  readonly add?: Readonly<Record<string, number>> | undefined
}

export interface LiveStats {
  readonly actors: number
  readonly nodes: number
  readonly writes: number
  /** Entries of other nodes that were new. */
  readonly applied: number
  readonly sent: number
  readonly received: number
  readonly malformed: number
  /** Entries that were not taken: unknown, out of bounds, of a clock that is ahead, or without room. */
  readonly refused: number
  /** Digests that differed. */
  readonly repairs: number
  /** Events the log was told. */
  readonly flushes: number
}

export interface LiveState extends Service {
  /** Throws AppError `unknown_type` where actors of the type have no live figures. */
  handle(actor: ActorRef): LiveHandle
  /** Patterns of `type.field`: `stream.viewers`, `stream.*`, `*`. Called once for all changes within a few milliseconds. */
  onChange(pattern: string, listener: (change: LiveChange) => void): () => void
  /** Events that were committed, here or elsewhere. */
  heard(events: readonly LogEvent[]): void
  /** What the log is to be told of an actor before this event of it. */
  before(actor: ActorRef, eventType: string): readonly OutgoingEvent[]
  stats(): LiveStats
}

export interface LiveStateOptions {
  readonly node: string
  readonly incarnation: number
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly entities: Iterable<EntityDefinition>
  readonly state: (actor: ActorRef) => Promise<{ readonly state: string; readonly context: JsonObject }>
  readonly send: (actor: ActorRef, event: OutgoingEvent, options: { commandId: string }) => Promise<CommandResult>
  /** Actors held at a time; default 50,000. */
  readonly maxActors?: number
}

export function createLiveState(options: LiveStateOptions): LiveState {
  return new LiveNode(options)
}

interface Write {
  readonly field: string
  readonly value: LiveValue
  readonly add: boolean
}

interface WaitingWrite {
  readonly set?: LiveValue | undefined
  readonly added: number
}

class LiveNode implements LiveState {
  readonly #options: LiveStateOptions
  readonly #self: string
  readonly #definitions: ReadonlyMap<string, LiveDefinition>
  readonly #replica: Replica
  readonly #members
  readonly #stamps = createStamps()
  readonly #flushes = createFlushes()
  readonly #changes
  /** Fields this node wrote since it last told the others. */
  readonly #unsent = new Map<LiveDocument, Set<string>>()
  /** Documents that may have something to tell the log. */
  readonly #unflushed = new Set<LiveDocument>()
  readonly #waiting = new Map<Subject, Map<string, WaitingWrite>>()
  readonly #lookups = new Map<Subject, Promise<void>>()
  /** Lifecycle events came while the log was being asked. */
  readonly #stale = new Set<Subject>()
  readonly #running = new Set<Promise<void>>()
  readonly #flushing = new Set<LiveDocument>()
  readonly #answered = new Map<string, number>()
  readonly #counts = { writes: 0, applied: 0, sent: 0, received: 0, malformed: 0, refused: 0, repairs: 0, flushes: 0 }
  #cancels: (() => void)[] = []
  #windowOpen = false
  #cancelWindow = () => {}
  #beatAt = 0
  #digestAt = 0
  #started = false
  #stopped = false

  constructor(options: LiveStateOptions) {
    this.#options = options
    this.#self = `${options.node}#${options.incarnation}`
    this.#definitions = new Map(
      [...options.entities].flatMap(({ type, live }) => (live === undefined ? [] : [[type, live] as const])),
    )
    this.#replica = new Replica(this.#definitions, options.maxActors ?? MAX_ACTORS)
    this.#members = createMembers(this.#self, SILENT_MS)
    this.#changes = createChanges(this.#isAlive, options.log)
  }

  async start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    const { bus } = this.#options
    this.#cancels = [bus.onLive(frame => this.#receive(frame)), bus.onGap(() => this.#missed())]
    this.#beat()
    this.#planTick()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    for (const cancel of this.#cancels) cancel()
    this.#cancelWindow()
    this.#sendUnsent()
    this.#flushDue(true)
    await Promise.all(this.#running)
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
      write: ({ set = {}, add = {} }) =>
        this.#write(actor, definition, [
          ...Object.entries(set).map(([field, value]) => ({ field, value, add: false })),
          ...Object.entries(add).map(([field, value]) => ({ field, value, add: true })),
        ]),
      read: () => {
        const subject = this.#replica.find(actor.type, actor.id)
        const document = subject === undefined ? undefined : presentDocument(subject)
        return document?.values(this.#isAlive) ?? {}
      },
      opened: async () => {
        const subject = this.#subject(actor)
        if (subject.period === undefined) await this.#lookUp(subject)
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
      if (document !== undefined && subject.definition.flush[event.type] !== undefined)
        this.#flushes.told(document, event, this.#options.clock.now())
      if (subject.definition.lifecycle.includes(event.type)) this.#lookUpLater(subject)
    }
  }

  before(actor: ActorRef, eventType: string): readonly OutgoingEvent[] {
    const subject = this.#replica.find(actor.type, actor.id)
    if (subject === undefined || !subject.definition.lifecycle.includes(eventType)) return []
    const document = presentDocument(subject)
    return document === undefined ? [] : this.#flushes.due(document, this.#isAlive)
  }

  stats(): LiveStats {
    return { actors: this.#replica.size, nodes: this.#members.alive.size, ...this.#counts }
  }

  readonly #isAlive = (writer: string): boolean => this.#members.isAlive(writer)

  #subject({ type, id }: ActorRef): Subject {
    const subject = this.#replica.subject(type, id, this.#options.clock.now())
    if (subject !== undefined) return subject
    throw new AppError(
      'overloaded',
      'The node holds as many actors with live figures as it may. The figure was not taken; send it again later.',
    )
  }

  #write(actor: ActorRef, definition: LiveDefinition, writes: readonly Write[]): void {
    for (const write of writes) this.#check(actor, definition, write)
    const subject = this.#subject(actor)
    for (const write of writes) {
      this.#counts.writes++
      const document = this.#waiting.has(subject) ? undefined : (presentDocument(subject) ?? this.#open(subject))
      if (document !== undefined) this.#apply(document, subject, write)
      else if (subject.period === null) this.#counts.refused++
      else this.#wait(subject, write)
    }
  }

  #check(actor: ActorRef, { fields }: LiveDefinition, { field, value, add }: Write): void {
    const rule = Object.hasOwn(fields, field) ? fields[field] : undefined
    const gauge = rule?.rule === 'sumByNode'
    const fitting = add
      ? Number.isSafeInteger(value) && (gauge || (rule?.rule === 'counter' && Number(value) >= 0))
      : rule !== undefined && rule.rule !== 'counter' && fits(rule, value, this.#options.clock.now(), DRIFT_MS)
    if (!fitting)
      throw new AppError(
        'invalid_input',
        `'${field.slice(0, 60)}' of ${formatActorRef(actor)} is no live figure, or cannot be given that value in that way. Nothing was changed.`,
      )
  }

  /** Until the log has said which time the actor is in. */
  #wait(subject: Subject, { field, value, add }: Write): void {
    let waiting = this.#waiting.get(subject)
    if (waiting === undefined) {
      waiting = new Map()
      this.#waiting.set(subject, waiting)
    }
    const known = waiting.get(field) ?? { added: 0 }
    const isMax = subject.definition.fields[field]?.rule === 'max'
    if (add) waiting.set(field, { ...known, added: known.added + Number(value) })
    else waiting.set(field, { set: isMax ? Math.max(Number(known.set ?? 0), Number(value)) : value, added: 0 })
    this.#lookUpLater(subject)
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
    subject.changedAt = now
    this.#changed(document, field)
    this.#toSend(document, field)
    for (const peak of this.#raisePeaks(document, field)) this.#toSend(document, peak)
  }

  /** Every node raises them by itself; the figures meet in the digests. */
  #raisePeaks(document: LiveDocument, field: string): readonly string[] {
    const { fields } = document.definition
    return Object.keys(fields).filter(peak => {
      const rule = fields[peak]
      if (rule === undefined || !('peakOf' in rule) || rule.peakOf !== field) return false
      const most = Math.min(Number(document.value(peak, this.#isAlive) ?? 0), rule.max)
      const raised = document.apply(peak, this.#self, this.#stamps.next(this.#options.clock.now()), most)
      if (raised) this.#changed(document, peak)
      return raised
    })
  }

  #toSend(document: LiveDocument, field: string): void {
    const fields = this.#unsent.get(document)
    if (fields === undefined) this.#unsent.set(document, new Set([field]))
    else fields.add(field)
  }

  #changed(document: LiveDocument, field: string): void {
    this.#unflushed.add(document)
    this.#changes.add(document, field)
    if (this.#windowOpen || this.#stopped) return
    this.#windowOpen = true
    this.#cancelWindow = this.#options.clock.after(WINDOW_MS, () => {
      this.#windowOpen = false
      this.#sendUnsent()
      this.#changes.emit()
    })
  }

  #sendUnsent(): void {
    const deltas: Delta[] = []
    for (const [document, fields] of this.#unsent) {
      const entries = [...fields].flatMap(field => document.entries(this.#self, field))
      if (entries.length > 0) deltas.push(deltaOf(document, entries))
    }
    this.#unsent.clear()
    this.#publish(deltas)
  }

  #publish(deltas: Iterable<Delta>): void {
    for (const json of encodeDeltas(deltas)) {
      this.#counts.sent++
      this.#options.bus.publishLive(json)
    }
  }

  #receive({ node, incarnation, payload }: LiveFrame): void {
    const message = parseMessage(payload)
    if (message === undefined) return void this.#counts.malformed++
    this.#counts.received++
    const writer = `${node}#${incarnation}`
    if (message.kind === 'leave') {
      this.#answered.delete(writer)
      if (this.#members.gone(writer)) this.#recount(new Set([writer]))
      return
    }
    if (this.#members.heard(writer, this.#options.clock.now())) this.#recount(new Set([writer]))
    if (message.kind === 'delta') for (const delta of message.deltas) this.#take(delta)
    if (message.kind === 'digest') this.#compare(writer, message.shards)
  }

  #take({ type, id, period, entries }: Delta): void {
    const now = this.#options.clock.now()
    const subject = this.#replica.subject(type, id, now)
    const document = subject === undefined ? undefined : this.#replica.document(subject, period)
    if (subject === undefined || document === undefined) {
      this.#counts.refused += entries.length
      // Of another time than the one we know: one of us is behind.
      if (subject !== undefined && now - subject.askedAt >= ANSWER_MS) this.#lookUpLater(subject)
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
      subject.changedAt = now
      this.#changed(document, field)
      this.#raisePeaks(document, field)
    }
  }

  /** Each node answers with what it wrote itself; one of them, and all where that one asks, with everything it holds. */
  #compare(asking: string, shards: readonly number[]): void {
    const now = this.#options.clock.now()
    const different = differing(this.#replica.digest(), shards)
    if (different.size === 0 || now - (this.#answered.get(asking) ?? Number.NEGATIVE_INFINITY) < ANSWER_MS) return
    this.#answered.set(asking, now)
    this.#counts.repairs++
    const others = [...this.#members.alive].filter(writer => writer !== asking)
    const first = lowest(this.#members.alive)
    const everything = asking === first || lowest(others) === this.#self
    const deltas = [...this.#replica.documents(different)].flatMap(document => {
      const entries = everything ? document.entries() : document.entries(this.#self)
      return entries.length === 0 ? [] : [deltaOf(document, entries)]
    })
    this.#publish(deltas)
  }

  /** Nodes came or went: what they set counts, or counts no longer. */
  #recount(writers: ReadonlySet<string>): void {
    for (const document of this.#replica.documents())
      for (const { field, writer } of document.entries()) if (writers.has(writer)) this.#changed(document, field)
  }

  #missed(): void {
    // Ends of times may have been among it.
    for (const subject of this.#replica.subjects()) subject.askedAt = 0
    this.#digestAt = 0
  }

  #planTick(): void {
    this.#cancels[2] = this.#options.clock.after(TICK_MS, () => {
      this.#planTick()
      this.#tick()
    })
  }

  #tick(): void {
    const now = this.#options.clock.now()
    const silent = this.#members.expire(now)
    for (const writer of silent) this.#answered.delete(writer)
    if (silent.length > 0) this.#recount(new Set(silent))
    if (now - this.#beatAt >= BEAT_MS) this.#beat()
    let lookups = 0
    for (const subject of this.#replica.subjects()) {
      const quiet = now - Math.max(subject.changedAt, subject.askedAt) >= RECHECK_MS
      if (!quiet && subject.askedAt > 0) continue
      if (subject.period === null && quiet) this.#replica.forget(subject)
      else if (lookups++ < LOOKUPS) this.#lookUpLater(subject)
    }
    this.#flushDue(false)
  }

  #beat(): void {
    const { bus, clock } = this.#options
    this.#beatAt = clock.now()
    const digest = this.#beatAt - this.#digestAt >= DIGEST_MS
    if (digest) this.#digestAt = this.#beatAt
    bus.publishLive(digest ? encodeDigest(this.#replica.digest()) : encodeSign('beat'))
  }

  #flushDue(stopping: boolean): void {
    // A node that hears nobody knows only its own part of each sum.
    if (!this.#options.bus.healthy) return
    let begun = 0
    const now = this.#options.clock.now()
    for (const document of this.#unflushed) {
      const subject = this.#replica.find(document.type, document.id)
      const age = this.#flushes.age(document, now)
      if (subject?.documents.get(document.period) !== document) {
        this.#unflushed.delete(document)
        continue
      }
      if (presentDocument(subject) !== document || this.#flushing.has(document)) continue
      if (!stopping && age < document.definition.flushMs) continue
      const writers = [...document.writers()].filter(this.#isAlive)
      const inCharge = lowest(writers.length > 0 ? writers : this.#members.alive) === this.#self
      const [event, ...more] = this.#flushes.due(document, this.#isAlive)
      if (event === undefined) this.#unflushed.delete(document)
      else if (inCharge || age >= OVERDUE * document.definition.flushMs) {
        if (begun++ >= FLUSHES) return
        const interval = Math.floor(now / document.definition.flushMs)
        if (!stopping) this.#flush(subject, document, event, String(interval))
        else for (const last of [event, ...more]) this.#flush(subject, document, last, `${this.#self}:${last.type}`)
      }
    }
  }

  /** @param occasion with the actor and its time it makes the command id: whichever nodes try, the log takes one event */
  #flush(subject: Subject, document: LiveDocument, event: OutgoingEvent, occasion: string): void {
    const { clock, log } = this.#options
    const actor = { type: subject.type, id: subject.id } as ActorRef
    const now = clock.now()
    const commandId = `live:${formatActorRef(actor)}:${document.period}:${occasion}`
    this.#flushing.add(document)
    const sent = this.#options.send(actor, event, { commandId }).then(
      result => {
        if (!result.ok) return this.#lookUpLater(subject)
        this.#flushes.told(document, event, now)
        if (!result.repeated) this.#counts.flushes++
      },
      error => {
        // Another node told the log in this interval.
        if (error instanceof AppError && error.code === 'command_id_reused')
          return this.#flushes.told(document, undefined, now)
        log.debug({ actor: formatActorRef(actor), error: String(error) }, 'live figures not in the log yet')
      },
    )
    const running: Promise<void> = sent.finally(() => {
      this.#running.delete(running)
      this.#flushing.delete(document)
    })
    this.#running.add(running)
  }

  #lookUpLater(subject: Subject): void {
    if (this.#lookups.has(subject)) return void this.#stale.add(subject)
    this.#lookUp(subject).catch(error =>
      this.#options.log.debug({ error: String(error) }, 'an actor with live figures was not read; it is tried again'),
    )
  }

  #lookUp(subject: Subject): Promise<void> {
    const known = this.#lookups.get(subject)
    if (known !== undefined) return known
    const lookup = this.#ask(subject).finally(() => this.#lookups.delete(subject))
    this.#lookups.set(subject, lookup)
    return lookup
  }

  async #ask(subject: Subject): Promise<void> {
    subject.askedAt = this.#options.clock.now()
    do {
      this.#stale.delete(subject)
      const { state, context } = await this.#options
        .state({ type: subject.type, id: subject.id } as ActorRef)
        .catch(error => {
          subject.askedAt = 0
          throw error
        })
      subject.period = subject.definition.period(state, context) ?? null
    } while (this.#stale.has(subject))
    for (const period of [...subject.documents.keys()]) if (period !== subject.period) subject.documents.delete(period)
    const waiting = this.#waiting.get(subject) ?? new Map<string, WaitingWrite>()
    this.#waiting.delete(subject)
    const document = this.#open(subject)
    if (document === undefined) this.#counts.refused += waiting.size
    else
      for (const [field, { set, added }] of waiting) {
        if (set !== undefined) this.#apply(document, subject, { field, value: set, add: false })
        if (added !== 0) this.#apply(document, subject, { field, value: added, add: true })
      }
  }
}

function deltaOf({ type, id, period }: LiveDocument, entries: Delta['entries']): Delta {
  return { type, id, period, entries }
}
