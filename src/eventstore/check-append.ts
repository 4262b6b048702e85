/** What an append must be before it joins others: a value that the log cannot store would fail the whole batch. */
import { AppError } from '../core/errors.ts'
import type { NewEvent } from '../core/event.ts'
import { isStorableText, MAX_LOGGED_BYTES, poison } from '../core/json.ts'
import type { Append, TimerSet } from '../core/ports.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/
const MAX_SMALLINT = 32_767
const NONE: readonly never[] = []

/**
 * Answers the JSON of each event's data, made once for this check and the writing.
 * Throws AppError `invalid_event`; a plain error where the append is none, which is a bug of the caller.
 */
export function checkAppend(append: Append): readonly string[] {
  if (append.events.length === 0) throw new Error('an append has at least one event')
  const data = append.json ?? append.events.map(event => JSON.stringify(event.data))
  for (let index = 0; index < append.events.length; index++) {
    const event = append.events[index] as NewEvent
    const why = poison(event.data, data[index] ?? '', MAX_LOGGED_BYTES) ?? flaw(event)
    if (why !== undefined) throw refused(`'${event.type}'`, why)
  }
  if (append.events.length > 1) refuseRepeatedCommand(append.events)
  for (const claims of [append.claims, append.releases])
    for (const { kind, key } of claims ?? NONE)
      if (!isStorableText(key)) throw refused(`The claim of a ${kind}`, 'it holds a NUL or a lone surrogate')
  for (const { type, id, goneIn } of append.references ?? [])
    if (!Number.isSafeInteger(id) || ![type, ...goneIn].every(isStorableText))
      throw refused('A reference', 'it is no address of an actor')
  for (const timer of append.timers ?? NONE) {
    const why = poison(timer.payload, JSON.stringify(timer.payload), MAX_LOGGED_BYTES) ?? timerFlaw(timer)
    if (why !== undefined) throw refused(`The timer '${timer.name}'`, why)
  }
  return data
}

function flaw(event: NewEvent): string | undefined {
  if (!ISO.test(event.at)) return '`at` is not ISO 8601 in UTC'
  if (!Number.isInteger(event.schemaVersion) || event.schemaVersion < 0 || event.schemaVersion > MAX_SMALLINT)
    return '`schemaVersion` is not a small whole number'
  if (event.userId !== null && !Number.isSafeInteger(event.userId)) return '`userId` is not a whole number'
  if (event.causation !== null && !Number.isSafeInteger(event.causation)) return '`causation` is not a position'
  for (const text of [event.type, event.state, event.commandId, event.correlation])
    if (text !== null && !isStorableText(text)) return 'a name holds a NUL or a lone surrogate'
  return undefined
}

function timerFlaw({ name, dueAt }: TimerSet): string | undefined {
  if (!ISO.test(dueAt)) return '`dueAt` is not ISO 8601 in UTC'
  return isStorableText(name) ? undefined : 'its name holds a NUL or a lone surrogate'
}

function refuseRepeatedCommand(events: readonly NewEvent[]): void {
  const ids = events.flatMap(({ commandId }) => commandId ?? [])
  if (new Set(ids).size < ids.length) throw refused('The append', 'two of its events have the same command id')
}

function refused(what: string, why: string): AppError {
  return new AppError('invalid_event', `${what} was not written: ${why}. Nothing was changed.`)
}
