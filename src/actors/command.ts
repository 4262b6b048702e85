/** A command as it waits in a mailbox: parsed, bounded, and able to be answered. */
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, actorRef, commandId, formatActorRef } from '../core/ids.ts'
import { isTooDeep, type JsonObject, MAX_DEPTH, poison } from '../core/json.ts'
import type { Reference } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import { canonicalJson } from '../core/state.ts'
import type { CommandSpan } from '../core/tracing.ts'
import { eventDefinition } from '../machines/decide.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'

export interface CommandOptions {
  /** Spent once in the whole log: sending it again answers with the first outcome. 1–200 printable ASCII characters. */
  readonly commandId?: string
  /** The user on whose behalf it is sent, for the audit. */
  readonly userId?: number
  /** Refused with `wrong_version` unless the actor has this version. */
  readonly expectedVersion?: number
  readonly correlation?: string
  /** Position of the event that led to this command. */
  readonly causation?: number
  /** W3C trace context of the caller, for its trace to hold the command; anything malformed is passed over. */
  readonly traceparent?: string
  /** Never accepted beside the log: whoever sends it has it still when the log is back, or something newer. */
  readonly logOnly?: boolean
}

export interface Command extends CommandOptions {
  readonly type: string
  readonly data: JsonObject
  /** The data as JSON, made once for the check of its size and for the log. */
  readonly json: string
  readonly schemaVersion: number
  /** Actors that must exist and not be gone. */
  readonly references: readonly Reference[]
  /** A creation may answer with another actor: the one its command id created before. */
  readonly creates: boolean
  /** Sent by the runtime itself: a due timer, an effect. */
  readonly internal: boolean
  /** Undefined where tracing is off. */
  readonly span: CommandSpan | undefined
}

/**
 * Parses an event to be sent.
 * Throws AppError `unknown_type`, `invalid_event` (schema, size, text Postgres cannot hold) or `invalid_input` (options).
 * @param goneIn states in which an actor of this type counts as gone
 */
export function parseCommand(
  entity: EntityDefinition,
  event: OutgoingEvent,
  options: CommandOptions,
  goneIn: (type: string) => readonly string[],
  origin: { internal: boolean; creates: boolean; span: CommandSpan | undefined },
): Command {
  const { type, ...given } = event
  const definition = eventDefinition(entity, String(type))
  if (definition.internal && !origin.internal)
    throw new AppError(
      'invalid_event',
      `'${type}' is written by the runtime itself and cannot be sent. Nothing was changed.`,
    )
  if (isTooDeep(given)) throw invalid(type, `it nests deeper than ${MAX_DEPTH} levels`)
  const parsed = definition.schema.safeParse(given)
  if (!parsed.success) {
    const reasons = parsed.error.issues.slice(0, 5).map(issue => `${issue.path.join('.') || 'data'}: ${issue.message}`)
    throw invalid(type, reasons.join('; '))
  }
  const data = parsed.data as JsonObject
  const json = JSON.stringify(data)
  const why = poison(data, json)
  if (why !== undefined) throw invalid(type, why)
  if (options.commandId !== undefined) commandId(options.commandId)
  if (options.correlation !== undefined && !/^[\x21-\x7e]{1,200}$/.test(options.correlation))
    throw new AppError('invalid_input', 'A correlation id is 1 to 200 printable ASCII characters without spaces.')
  refuseOutside('userId', options.userId, 1)
  refuseOutside('causation', options.causation, 1)
  refuseOutside('expectedVersion', options.expectedVersion, 0)
  const references = entity
    .references({ ...data, type })
    .map(to => ({ ...actorRef(to.type, to.id), goneIn: goneIn(to.type) }))
  return { ...options, type, data, json, schemaVersion: definition.version, references, ...origin }
}

function refuseOutside(name: string, value: number | undefined, least: number): void {
  if (value !== undefined && (!Number.isSafeInteger(value) || value < least))
    throw new AppError('invalid_input', `${name} is not a whole number in its range.`)
}

/** Type of the actors that record what the log absorbed. */
const ABSORBED_IN = 'conflict'

/**
 * The first outcome of a command whose id was spent before.
 * Throws AppError `command_id_reused` where the id was spent on something else.
 */
export function repeatedOutcome(actor: ActorRef, command: Command, event: LogEvent): CommandResult {
  if (event.actorType === ABSORBED_IN) return absorbedOutcome(actor, command, event)
  const sameActor =
    event.actorType === actor.type && (event.actorId === actor.id || (command.creates && event.version === 1))
  const given = event.origin?.given ?? event.data
  // What was erased can be compared no more.
  const sameData =
    event.schemaVersion !== command.schemaVersion ||
    event.erased === true ||
    canonicalJson(given) === canonicalJson(command.data)
  if (sameActor && event.type === command.type && sameData)
    return { ok: true, actor: { type: event.actorType, id: event.actorId }, event, repeated: true }
  throw reused(event)
}

/** The command was taken while the log was away, and nothing of it was written: its id was spent on the record of that. */
function absorbedOutcome(actor: ActorRef, command: Command, event: LogEvent): CommandResult {
  const { actorType, actorId, eventType, given } = event.data
  const same =
    actorType === actor.type &&
    actorId === actor.id &&
    eventType === command.type &&
    (event.erased === true || isForgotten(event) || canonicalJson(given) === canonicalJson(command.data))
  if (!same) throw reused(event)
  return { ok: true, actor, event, repeated: true, absorbed: { type: event.actorType, id: event.actorId } }
}

/** Written when its user was erased: without what either side said, so that nothing is left to compare. */
function isForgotten({ data: { subject, given } }: LogEvent): boolean {
  return subject !== undefined && canonicalJson(given ?? {}) === '{}'
}

function reused(event: LogEvent): AppError {
  return new AppError(
    'command_id_reused',
    `The command id was spent on ${event.type} of ${formatActorRef({ type: event.actorType, id: event.actorId })}. ` +
      'Nothing was changed. Give each command an id of its own.',
    { details: { position: event.position } },
  )
}

function invalid(type: string, why: string): AppError {
  return new AppError('invalid_event', `'${type}' was not taken: ${why}. Nothing was changed.`)
}
