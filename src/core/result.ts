/** What a command ends in when nothing broke: taken, or refused with the reason. */
import type { LogEvent } from './event.ts'
import type { ActorRef } from './ids.ts'

export interface Accepted {
  readonly ok: true
  readonly actor: ActorRef
  /** The event the command led to; durable. */
  readonly event: LogEvent
  /** True where this command id had been taken before: nothing new was written, this is the first outcome. */
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
  readonly actor: ActorRef
  readonly reason: RefusalReason
  readonly version: number
  readonly state: string
  /** Event types this state takes. */
  readonly allowed: readonly string[]
  readonly detail?: string
}

export type CommandResult = Accepted | Refusal
