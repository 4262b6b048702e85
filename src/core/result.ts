/** What a command ends in when nothing broke: taken, or refused with the reason. */
import type { LogEvent, NewEvent } from './event.ts'
import type { ActorRef } from './ids.ts'

export interface Accepted {
  readonly ok: true
  readonly tentative?: never
  readonly actor: ActorRef
  /** The event the command led to; durable. */
  readonly event: LogEvent
  /** True where this command id had been taken before: nothing new was written, this is the first outcome. */
  readonly repeated: boolean
  /**
   * The command was taken while the log was away, and what others had written by then left nothing of it to write: this
   * is the address of the record, and `event` is that record.
   */
  readonly absorbed?: ActorRef
}

/**
 * A command that was taken while the log was away: its event is on this node's disk and goes to the log when that is back.
 * There it is merged with what others wrote meanwhile. The same command id asks what became of it.
 */
export interface Tentative {
  readonly ok: true
  readonly tentative: true
  readonly actor: ActorRef
  /** The event as it was decided here. It has no version and no position yet. */
  readonly event: NewEvent
  /** Version of the actor on which it was decided. */
  readonly basis: number
  /** True where this node had taken this command id before. */
  readonly repeated: boolean
}

export type RefusalReason =
  /** The machine has no transition for the event in this state. */
  | 'not_allowed'
  /** The caller expected another version. */
  | 'wrong_version'
  /** Another actor holds the name: `detail` is the kind of claim. */
  | 'claimed'
  /** The event names an actor that does not exist or is gone: `detail` is its address. */
  | 'unknown_reference'

/** A command that was understood and not taken. Nothing was written; its command id is not spent. */
export interface Refusal {
  readonly ok: false
  readonly tentative?: never
  readonly actor: ActorRef
  readonly reason: RefusalReason
  readonly version: number
  readonly state: string
  /** Event types this state takes. */
  readonly allowed: readonly string[]
  readonly detail?: string
}

export type CommandResult = Accepted | Tentative | Refusal
