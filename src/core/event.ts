/** The event envelope: one line of the log. */
import type { ActorId } from './ids.ts'
import type { JsonObject } from './json.ts'

/** What an append gives for each event; the store adds actor, version, node, dot and position. */
export interface NewEvent {
  /** Past tense, dotted: `stream.started`. */
  readonly type: string
  readonly schemaVersion: number
  readonly data: JsonObject
  /** The state the event led to, as `formatStateValue` writes it; replay compares. */
  readonly state: string
  /** ISO 8601, UTC. */
  readonly at: string
  /** The user who caused it, kept when that user is gone. Null for the system. */
  readonly userId: number | null
  /** Client-supplied and spent once in the whole log; null where the caller gave none. */
  readonly commandId: string | null
  /** Position of the event that caused this one. */
  readonly causation: number | null
  readonly correlation: string | null
}

/** What an event keeps that a node accepted while it could not reach the log. */
export interface Origin {
  /** Version of the actor it was decided on. What the log has after that is concurrent with it, but for what its own node wrote there. */
  readonly basis: number
  /** Hybrid logical clock of the acceptance. */
  readonly clock: string
  /** The dot it was accepted under; a later start of the node may have written it to the log. */
  readonly node: string
  readonly incarnation: number
  readonly n: number
  /** Dots (`node#incarnation`, n) of others that its writer had heard of before they were in the log. */
  readonly extra?: readonly (readonly [source: string, n: number])[]
  /** What merging had to know of the state it was decided on. */
  readonly observed?: JsonObject
  /** The data as the caller gave it, where merging changed it. */
  readonly given?: JsonObject
  /** What merging could not keep of both sides; the conflict log has it too. */
  readonly conflict?: JsonObject
}

/** An event as the log returns it. */
export interface LogEvent extends NewEvent {
  /** Place in the global order: grows, may have gaps, becomes visible in order. */
  readonly position: number
  readonly actorType: string
  readonly actorId: ActorId
  /** 1, 2, 3, … without gaps within an actor. */
  readonly version: number
  readonly node: string
  /** The dot: which start of which node wrote it, and the number of the append within that start. */
  readonly incarnation: number
  readonly n: number
  /** The fencing token of the lease it was written under. */
  readonly token: number | null
  /** Absent for an event that was decided on the log itself. */
  readonly origin?: Origin
  /** The user it is about was erased: what reads in place of personal data is not what was given. */
  readonly erased?: true
}

/** What folding reads of an event: not who caused it, nor why. */
export type RecordedEvent = Pick<
  LogEvent,
  'actorType' | 'actorId' | 'version' | 'position' | 'type' | 'schemaVersion' | 'data' | 'state' | 'at'
> & { readonly origin?: Pick<Origin, 'clock'> }
