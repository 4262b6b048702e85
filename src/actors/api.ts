/** What the actors of a node offer: the public face of this layer. */
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { Clock, EventStore, Lease, Logger, Service, StreamRange } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import type { Tracer } from '../core/tracing.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import type { TentativeExchange, TentativeStats } from '../tentative/api.ts'
import type { CommandOptions } from './command.ts'
import type { Link } from './link-watch.ts'
import type { Pending } from './load.ts'
import type { OutageOptions } from './outage.ts'
import type { ActorLimits, ReadTables } from './ports.ts'

/** An actor's state as it is shown. */
export interface ActorView {
  readonly ref: ActorRef
  /** 0 for an actor without events. */
  readonly version: number
  readonly state: string
  readonly context: JsonObject
  /** Event types the state takes. */
  readonly allowed: readonly string[]
  /** Time of the last event, ISO 8601 UTC. */
  readonly at: string | null
  /**
   * Commands that were accepted without the log, here or on other nodes, are on top of `version`. What they took away may be
   * believed; that nothing else was taken away may not, while the log cannot be read.
   */
  readonly tentative?: true
  /** How many. */
  readonly pending?: Pending
}

export interface StateOptions {
  /**
   * How old the answer may be, whatever is down: 0 (default) reads Postgres. An answer comes from memory where this node
   * compared its copy with the log within that time, and its link to the others has been whole ever since: up, and without
   * a gap. At most 60,000.
   */
  readonly maxStaleMs?: number
  /** Only what is in the log, without what was accepted beside it. */
  readonly logged?: boolean
}

/** A state as memory holds it. */
export interface KnownState {
  readonly version: number
  readonly state: string
  readonly context: JsonObject
}

export interface ActorHandle {
  readonly ref: ActorRef
  /** Resolves when the event is durable, or with a refusal. Throws AppError; a retryable one may be sent again with the same command id. */
  send(event: OutgoingEvent, options?: CommandOptions): Promise<CommandResult>
  /**
   * The newest state in the log; with `maxStaleMs` one that was the newest at most so long ago, from memory where that is
   * certain (see `StateOptions`). Throws AppError `log_unavailable`, `invalid_input`.
   */
  state(options?: StateOptions): Promise<ActorView>
  /**
   * What `state` with this `maxStaleMs` would answer from memory, at once; undefined where it would have to ask the log.
   * Throws AppError `invalid_input`.
   */
  known(maxStaleMs: number): KnownState | undefined
  /** What memory holds of the log, however old: for what nothing undoes. At once. */
  remembered(): KnownState | undefined
  /** The state after a version, or as it was at a time (ISO 8601). Throws AppError `invalid_input`. */
  stateAt(point: { version: number } | { at: string }): Promise<ActorView>
  /** Events by version, in chunks. Throws AppError `invalid_input`. */
  history(range?: StreamRange): AsyncIterable<readonly LogEvent[]>
}

export interface ActorSystem extends Service {
  readonly entities: ReadonlyMap<string, EntityDefinition>
  /** Throws AppError `unknown_type`, `invalid_input` (an id its read table cannot hold). */
  actor(ref: ActorRef): ActorHandle
  /** Sends the first event of a new actor under an id of its own. */
  create(type: string, event: OutgoingEvent, options?: CommandOptions): Promise<CommandResult>
  /** Events that other nodes committed. */
  hear(events: readonly LogEvent[]): void
  /** Called with each append of this node, after its commit. */
  onCommitted(listener: (events: readonly LogEvent[]) => void): () => void
  /** Runs work as the only holder of a lease in the whole installation; undefined while another holds it. */
  withLease<Result>(
    name: string,
    ttlMs: number,
    work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result | undefined>
  stats(): { readonly active: number; readonly queued: number; readonly effects: number }
  /** What was accepted beside the log, here and elsewhere; undefined where nodes do not tell each other of it. */
  tentatives(): TentativeStats | undefined
  /** What was taken while the log was away; undefined on a node without a journal. */
  outage(): OutageStatus | undefined
  /** Resolves when no effect of this node runs or waits. */
  effectsIdle(): Promise<void>
}

export interface OutageStatus {
  /** Whether the log did not answer when it was last asked. */
  readonly away: boolean
  /** Accepted commands that are not in the log yet. */
  readonly pending: number
  /** Size of the journal. */
  readonly bytes: number
  /** An actor whose accepted commands the log cannot be given, though it is there. */
  readonly stuck: string | null
  readonly clock: ClockStatus
}

/** The clock of what is accepted beside the log. */
export interface ClockStatus {
  /** Why nothing is accepted beside the log now, whether that is away or not. */
  readonly refusing: string | null
  /** By how much at least the node's clock was ahead of the log's when they were last compared; negative: behind. */
  readonly aheadMs: number
  /** Leased from the log: nothing is accepted at or after it. ISO 8601; null before the first lease. */
  readonly ceiling: string | null
  /** Accepted commands that went to the log under another dot and time than they were accepted under. */
  readonly restamped: number
  /** Times of the log that lie so far ahead that no node was leased them: they are not followed. */
  readonly ignored: number
}

export interface ActorSystemOptions {
  readonly store: EventStore
  readonly entities: readonly EntityDefinition[]
  readonly clock: Clock
  readonly log: Logger
  /** Unique to this start of this node; holder of its leases. */
  readonly holder: string
  readonly readTables?: ReadTables
  /** What an erasure ends with. Doing it again changes nothing. */
  readonly destroyPersonalKey?: ((user: number) => Promise<void>) | undefined
  /** How this node hears of the others' events. Without it every read goes to the log. */
  readonly link?: Link
  readonly limits?: Partial<ActorLimits>
  /** Events an actor is to be sent before one of this type, if it will have them. */
  readonly before?: (actor: ActorRef, eventType: string) => readonly OutgoingEvent[]
  /** Present where events that can be merged are taken while the log is away. */
  readonly outage?: OutageOptions
  /** How nodes tell each other of such events. */
  readonly tentatives?: TentativeExchange
  /** Absent where tracing is off. */
  readonly tracer?: Tracer
}
