/** Names and numbers by which things in the log are addressed. */
import { AppError } from './errors.ts'

declare const brand: unique symbol
/** A positive safe integer. */
export type ActorId = number & { readonly [brand]: 'ActorId' }

/** An actor's address, written `stream/123`. */
export interface ActorRef {
  readonly type: string
  readonly id: ActorId
}

/** The largest number of a 32-bit integer column: of an id that is the key of such a row, and of a version. */
export const MAX_INT4 = 2_147_483_647

const TYPE = /^[a-z][a-z0-9-]{0,40}$/
const ID = /^[1-9][0-9]{0,15}$/
const COMMAND_ID = /^[\x21-\x7e]{1,200}$/

/** Throws AppError `invalid_input` unless `value` is a positive safe integer or its decimal text. */
export function actorId(value: unknown): ActorId {
  const number = typeof value === 'string' && ID.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number) && number > 0) return number as ActorId
  throw new AppError('invalid_input', `An actor id is a whole number from 1 to ${Number.MAX_SAFE_INTEGER}.`)
}

/** Throws AppError `invalid_input` on a malformed type or id. */
export function actorRef(type: string, id: unknown): ActorRef {
  if (!TYPE.test(type)) throw new AppError('invalid_input', 'An actor type is lower-case letters, digits and dashes.')
  return { type, id: actorId(id) }
}

/** Reads `stream/123`. Throws AppError `invalid_input`. */
export function parseActorRef(text: string): ActorRef {
  const slash = text.indexOf('/')
  if (slash < 0) throw new AppError('invalid_input', 'An actor is addressed as type/id, for example stream/123.')
  return actorRef(text.slice(0, slash), text.slice(slash + 1))
}

export function formatActorRef(ref: ActorRef): string {
  return `${ref.type}/${ref.id}`
}

/** Throws AppError `invalid_input` unless the command id is 1 to 200 printable ASCII characters without spaces. */
export function commandId(text: string): string {
  if (COMMAND_ID.test(text)) return text
  throw new AppError('invalid_input', 'A command id is 1 to 200 printable ASCII characters without spaces.')
}
