/** What live figures offer the rest of a node, and what they need of it. */
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { Bus, Clock, Logger, Service } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import type { LiveValue, LiveValues } from '../machines/live-fields.ts'
import type { LiveChange } from './changes.ts'

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
  readonly send: (
    actor: ActorRef,
    event: OutgoingEvent,
    options: { readonly commandId: string; readonly logOnly: boolean },
  ) => Promise<CommandResult>
  /** Whether the log is known to be away; default no. */
  readonly isLogAway?: () => boolean
  /** Whether no other node of the log is alive; default no. */
  readonly isAlone?: () => Promise<boolean>
  /** Actors held at a time; default 50,000. */
  readonly maxActors?: number
}
