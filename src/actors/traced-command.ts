/** A command inside its span, where tracing is on. */
import type { CommandResult } from '../core/result.ts'
import type { CommandSpan, Tracer } from '../core/tracing.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import type { CommandOptions } from './command.ts'

export interface TracedCommand {
  readonly entity: EntityDefinition | undefined
  /** Undefined for a new actor, whose id comes later. */
  readonly id: number | undefined
  readonly event: OutgoingEvent
  readonly options: CommandOptions
  readonly internal: boolean
}

export async function traceCommand(
  tracer: Tracer,
  { entity, id, event, options, internal }: TracedCommand,
  run: (span: CommandSpan | undefined) => Promise<CommandResult>,
): Promise<CommandResult> {
  const { type } = event
  const span = tracer.command({
    actorType: entity?.type,
    actorId: id,
    eventType: entity !== undefined && Object.hasOwn(entity.events, type) ? type : undefined,
    traceparent: options.traceparent,
    causation: options.causation,
    internal,
  })
  try {
    const result = await run(span)
    span?.answered(result)
    return result
  } catch (error) {
    span?.failed(error)
    throw error
  }
}
