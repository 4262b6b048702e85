/** What the engines ask of the outside: adapters implement these, tests replace them. */
import type { LogEvent, NewEvent, Origin, RecordedEvent } from './event.ts'
import type { ActorRef } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { Seal, SealTip, StoredEvent } from './seal.ts'
import type { Snapshot } from './state.ts'
import type { AppendSpans } from './tracing.ts'

/** The only source of time. Milliseconds since the epoch, UTC. */
export interface Clock {
  now(): number
  /** Calls back once after `ms`; the returned function cancels. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void
}

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** A part of a node with a life of its own. `stop` finishes what is under way and may be called twice. */
export interface Service {
  start(): Promise<void>
  stop(): Promise<void>
}

export interface Claim {
  readonly kind: string
  readonly key: string
}

export interface TimerSet {
  /** One timer of a name an actor; setting it again moves it. */
  readonly name: string
  /** `event`: the payload is sent to the actor when due. `effect`: the effect was still unfinished when due, run it again. */
  readonly kind: 'event' | 'effect'
  /** ISO 8601, UTC. */
  readonly dueAt: string
  readonly payload: JsonObject
}

/** An actor that an append refers to. */
export interface Reference extends ActorRef {
  /** Top-level states in which it counts as gone. */
  readonly goneIn: readonly string[]
}

/** One actor's events, written whole or not at all. */
export interface Append {
  readonly actor: ActorRef
  /** Version the actor must have; 0 for a new actor. */
  readonly expectedVersion: number
  readonly events: readonly NewEvent[]
  /** JSON of each event's data, where the caller has made it already. */
  readonly json?: readonly string[]
  /** Keys this actor takes (or holds already) and keys it gives back. */
  readonly claims?: readonly Claim[]
  readonly releases?: readonly Claim[]
  /** The append is refused unless each of these has events before it, and the last of them left it in no state of `goneIn`. */
  readonly references?: readonly Reference[]
  /** At most one change for each timer name. */
  readonly timers?: readonly TimerSet[]
  readonly cancels?: readonly string[]
  /** The append is refused unless the lease still carries this token. */
  readonly lease?: { readonly name: string; readonly token: number }
  /** Of its only event, where that was accepted before it got here. */
  readonly origin?: Origin
  /** The user whom personal data in the events is about. */
  readonly subject?: number
  /** Where tracing is on: of the command of each event. */
  readonly spans?: AppendSpans
}

export type AppendOutcome =
  | {
      readonly outcome: 'appended'
      readonly events: readonly LogEvent[]
      /** The user it is about was erased, and so was what it says of that user: the state is to be loaded anew. */
      readonly rewritten?: true
    }
  /** The actor has another version: load again and decide again. */
  | { readonly outcome: 'conflict' }
  /** A command id of the append was spent before; `position` is the event it led to. */
  | { readonly outcome: 'duplicate'; readonly position: number }
  | { readonly outcome: 'claimed'; readonly kind: string }
  /** A reference has no events or is gone; `reference` is the first such, as `user/12`. */
  | { readonly outcome: 'missing'; readonly reference: string }
  | { readonly outcome: 'fenced'; readonly lease: string }
  /** Its origin is a dot beyond the last of a start that is over; `start` is that start, as `node#incarnation`. */
  | { readonly outcome: 'sealed'; readonly start: string }

export interface StreamRange {
  /** First version, default 1. */
  readonly from?: number
  /** Last version, default the head. */
  readonly to?: number
}

export interface AuditQuery {
  readonly userId?: number
  readonly actor?: ActorRef
  readonly actorType?: string
  readonly type?: string
  /** ISO 8601; inclusive from, exclusive to. */
  readonly since?: string
  readonly until?: string
  /** Position after which the page starts; `next` of the page before. */
  readonly after?: number
  /** 1 to 1000, default 100. */
  readonly limit?: number
}

export interface AuditPage {
  readonly events: readonly LogEvent[]
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: number
}

export interface DueTimer {
  readonly actor: ActorRef
  readonly name: string
  readonly kind: 'event' | 'effect'
  readonly dueAt: string
  readonly payload: JsonObject
  readonly attempts: number
}

export interface Lease {
  readonly name: string
  readonly token: number
  readonly expiresAt: string
}

/** The event log. Every method may throw AppError `log_unavailable`; none leaves a half-done change behind. */
export interface EventStore {
  /**
   * Durable when it resolves. Appends waiting at the same time share one commit; each has its own outcome.
   * Throws AppError `invalid_event` (cannot be stored), `overloaded` (too much waits), `log_unavailable` (in doubt:
   * the same command id settles it).
   */
  append(append: Append): Promise<AppendOutcome>
  /** In chunks by version; never the whole stream in memory. */
  readStream(actor: ActorRef, range?: StreamRange): AsyncIterable<readonly LogEvent[]>
  /** The same events with only what folding reads. */
  readRecorded(actor: ActorRef, range?: StreamRange): AsyncIterable<readonly RecordedEvent[]>
  /** Events after a position, in order, at most `limit`; an empty page is the end of what is visible now. */
  readAll(after: number, limit: number): Promise<readonly LogEvent[]>
  /** Position of the last event, 0 for an empty log. */
  head(): Promise<number>
  eventAt(position: number): Promise<LogEvent | undefined>
  /** The event a command id was spent on. */
  findCommand(commandId: string): Promise<LogEvent | undefined>
  /** The actor that holds a name. */
  holderOf(claim: Claim): Promise<ActorRef | undefined>
  audit(query: AuditQuery): Promise<AuditPage>
  /** Events that were read from the log past this port, as this port would have read them. */
  opened<Event extends RecordedEvent>(events: readonly Event[]): Promise<readonly Event[]>
  /** Actors of a type by id, with their last version and state; ids after `after`. */
  listActors(type: string, after: number, limit: number): Promise<readonly ActorHead[]>

  loadSnapshot(actor: ActorRef): Promise<Snapshot | undefined>
  saveSnapshot(actor: ActorRef, snapshot: Snapshot): Promise<void>

  /** An id no other node is given. Never below ids that `reserveIds` has seen. */
  nextId(actorType: string): Promise<number>
  /** Makes `nextId` start above `highest` (import of existing rows). */
  reserveIds(actorType: string, highest: number): Promise<void>

  /** Takes due timers for this caller for `holdMs`; another caller gets them only after that. Oldest first. */
  takeDueTimers(now: string, limit: number, holdMs: number): Promise<readonly DueTimer[]>
  /** Removes a timer, unless it was set anew meanwhile (another dueAt than the one taken). */
  settleTimer(timer: DueTimer): Promise<void>
  /** When the next timer is due, for planning the next look. */
  nextTimerAt(): Promise<string | undefined>

  /** The lease, new or renewed, or undefined while another holder has it. A new holder gets a larger token. */
  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>
  releaseLease(name: string, holder: string): Promise<void>

  /** Absent where the log is in this process, or nobody waits for what it answers. */
  readonly silence?: Silence
  close(): Promise<void>
}

/** Whether the log is known to be silent: it refuses nothing and answers nothing. */
export interface Silence {
  readonly silent: boolean
  /** Called when it falls silent. Returns the unsubscribe. */
  onSilent(listener: () => void): () => void
}

/** The log as the auditor reads it, and its seals. Every method may throw AppError `log_unavailable`. */
export interface SealedLog {
  /** Events after a position, in order, at most `limit`. */
  stored(after: number, limit: number): Promise<readonly StoredEvent[]>
  /** How many events lie after a position. */
  countAfter(position: number): Promise<number>
  /** Position of the last event, 0 for an empty log. */
  head(): Promise<number>
  lastSeal(): Promise<SealTip | undefined>
  /** Seals with larger numbers than `after`, in order, at most `limit`. */
  seals(after: number, limit: number): Promise<readonly Seal[]>
  /** False where its number is taken: another sealer was faster, and nothing was written. */
  addSeal(seal: Seal): Promise<boolean>
}

export interface ActorHead {
  readonly id: number
  readonly version: number
  readonly state: string
  readonly at: string
}

/** What nodes tell each other: a hint that these events are in the log. It may be lost, late or doubled. */
export interface Frame {
  readonly node: string
  readonly incarnation: number
  readonly events: readonly LogEvent[]
  /** W3C trace context of the span that published it, where tracing is on. */
  readonly traceparent?: string
}

/** What another node says of what is in no log. It may be lost, late or doubled, and whoever reads it parses it. */
export interface LiveFrame {
  readonly node: string
  readonly incarnation: number
  readonly payload: unknown
}

export interface Bus extends Service {
  /** Never waits for receivers and never fails a command; a lost frame is made good from the log. */
  publish(frame: Frame): void
  /** Frames of other nodes (and, on a shared in-process bus, of other runtimes). Returns the unsubscribe. */
  onFrame(listener: (frame: Frame) => void): () => void
  /** JSON of at most a megabyte, which is in no log: what gets lost of it is lost. */
  publishLive(json: string): void
  onLive(listener: (frame: LiveFrame) => void): () => void
  /** The same for what was accepted while the log is away: its writer keeps it, and sends it again where it is missed. */
  publishTentative(json: string): void
  onTentative(listener: (frame: LiveFrame) => void): () => void
  /** Whether frames reach the others now. */
  readonly healthy: boolean
  /** Also that no other node is known that this one has no way to: what it holds of the others may be the whole. */
  readonly hearsAll: boolean
  /** What somebody should see to, whether frames flow or not; one sentence each. */
  warnings(): readonly string[]
  stats(): Readonly<Record<string, number>>
  /** Called when frames may have been missed: catch up from the log. Returns the unsubscribe. */
  onGap(listener: () => void): () => void
}
