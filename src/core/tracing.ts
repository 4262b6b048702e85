/** What a node tells of the way of each command. Where tracing is off there is no Tracer, and each step asks once for `undefined`. */
import type { LogEvent } from './event.ts'
import type { CommandResult } from './result.ts'

/** Every method may answer undefined: nothing is recorded of that step. None of them throws. */
export interface Tracer {
  /** A command comes in. */
  command(start: CommandStart): CommandSpan | undefined
  /** A batch of appends goes to the log now. */
  append(batch: BatchStart): AppendSpan | undefined
  /** The events of a batch are told to other nodes. */
  publish(events: readonly LogEvent[]): PublishSpan | undefined
  /** Another node told of events. */
  receive(events: readonly LogEvent[], traceparent: string): Span | undefined
  /** A look for a page of the log to project begins; recorded only where there is one. */
  projection(): ProjectionSpan | undefined
}

export interface Span {
  ended(): void
}

/** Names only of the registry: what a caller made up has no place in a trace. */
export interface CommandStart {
  readonly actorType?: string | undefined
  readonly actorId?: number | undefined
  readonly eventType?: string | undefined
  /** W3C `traceparent` of the caller, unparsed. */
  readonly traceparent?: string | undefined
  /** Position of the event that led to the command. */
  readonly causation?: number | undefined
  /** Sent by a timer or an effect of the node itself, whatever ran around it. */
  readonly internal: boolean
}

export interface CommandSpan {
  /** The event is durable and about to be published. */
  committed(event: LogEvent): void
  answered(result: CommandResult): void
  failed(error: unknown): void
}

export interface BatchStart {
  /** The same for all that share the statement: incarnation and number of its first event. */
  readonly id: string
  /** Name of the database. */
  readonly database: string | undefined
  readonly appends: readonly { readonly events: readonly unknown[]; readonly spans?: AppendSpans }[]
}

/** The span of the command each event of an append came from. */
export type AppendSpans = readonly (CommandSpan | undefined)[]

export interface AppendSpan {
  /** The connection was lost; the batch is sent again. */
  resent(): void
  /** @param outcomes of each append, in their order */
  answered(outcomes: readonly { readonly outcome: string }[]): void
  /** @param status SQLSTATE, where there is one */
  failed(error: unknown, status: string | undefined): void
}

export interface PublishSpan extends Span {
  /** W3C `traceparent` to send with the frame. */
  readonly traceparent: string
}

export interface ProjectionSpan {
  /** @param page events after `from` up to `to` are in the read tables */
  folded(page: { readonly from: number; readonly to: number; readonly events: number }): void
  failed(error: unknown): void
}
