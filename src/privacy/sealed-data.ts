/** Events and snapshots with their personal part sealed, opened, or erased. Nothing here waits: the key is at hand. */
import type { KeyObject } from 'node:crypto'
import { open, seal } from '../cipher.ts'
import type { Origin, RecordedEvent } from '../core/event.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { SEALED_KEY, type SealedPart, sealedPart } from '../core/personal.ts'
import type { Snapshot } from '../core/state.ts'
import type { EntityDefinition } from '../machines/define.ts'
import {
  erasedData,
  erasedValue,
  type PersonalField,
  personalFields,
  readField,
  withFields,
} from '../machines/personal.ts'

/** Where an event stands, as far as it is known before it is written. */
export interface Place {
  readonly actorType: string
  readonly actorId: number
  readonly version: number
  readonly type: string
}

export interface Written {
  readonly data: JsonObject
  readonly origin: Origin | undefined
}

/** What is sealed of an event: values by field, and of its origin what says what somebody entered. */
interface Secret {
  readonly data: Readonly<Record<string, Json>>
  readonly origin?: Pick<Origin, 'observed' | 'given' | 'conflict'>
}

/** Whether anything of it is to be sealed. */
export function isPersonal(
  entity: EntityDefinition,
  type: string,
  data: JsonObject,
  origin: Origin | undefined,
): boolean {
  if (entity.personal === undefined) return false
  if (origin !== undefined && enteredIn(origin) !== undefined) return true
  return personalFields(entity.personal, type).some(field => readField(data, field) !== undefined)
}

/** @param key null where the user was erased: what comes after that is written as erased */
export function sealEvent(
  entity: EntityDefinition,
  user: number,
  key: KeyObject | null,
  place: Place,
  { data, origin }: Written,
): Written {
  const present = fieldsOf(entity, place.type).filter(field => readField(data, field) !== undefined)
  const entered = origin && enteredIn(origin)
  if (key === null)
    return {
      data: entity.personal === undefined ? data : erasedData(entity.personal, place.type, data, user),
      origin: origin && withoutEntered(origin),
    }
  const secret: Secret = {
    data: Object.fromEntries(present.map(field => [field.name, readField(data, field) ?? null])),
    ...(entered === undefined ? undefined : { origin: entered }),
  }
  const part: SealedPart = {
    of: user,
    fields: present.map(({ name }) => name),
    sealed: seal(key, JSON.stringify(secret), placeOf(place)),
  }
  return {
    data: {
      ...withFields(
        data,
        present.map(field => [field, undefined]),
      ),
      [SEALED_KEY]: part as SealedPart & JsonObject,
    },
    origin: origin && withoutEntered(origin),
  }
}

/**
 * The event as it was given.
 * @param key null where the user was erased
 * @param onBroken told where the sealed part cannot be opened by the key of its user: it was changed or moved, and is read as erased
 */
export function openEvent<Event extends RecordedEvent>(
  entity: EntityDefinition | undefined,
  key: KeyObject | null,
  event: Event,
  onBroken: (event: RecordedEvent) => void,
): Event {
  const part = sealedPart(event.data)
  if (part === undefined) return event
  const { [SEALED_KEY]: _, ...rest } = event.data
  const declared = fieldsOf(entity, event.type)
  const fields = part.fields.map(name => declared.find(field => field.name === name) ?? undeclared(name))
  const text = key === null ? undefined : open(key, part.sealed, placeOf(event))
  if (text === undefined) {
    if (key !== null) onBroken(event)
    return {
      ...event,
      erased: true,
      data: withFields(
        rest,
        fields.map(field => [field, erasedValue(field, part.of)]),
      ),
    }
  }
  const secret = JSON.parse(text) as Secret
  const data = withFields(
    rest,
    fields.map(field => [field, secret.data[field.name]]),
  )
  if (secret.origin === undefined || event.origin === undefined) return { ...event, data }
  return { ...event, data, origin: { ...event.origin, ...secret.origin } }
}

/** A snapshot is sealed whole: what of a context is personal, nobody declares. */
export function sealSnapshot(
  { type, id }: { readonly type: string; readonly id: number },
  user: number,
  key: KeyObject,
  snapshot: Snapshot,
): Snapshot {
  const { value, context } = snapshot.state
  const sealed = seal(key, JSON.stringify(context), `snapshot/${type}/${id}/${snapshot.version}`)
  const part: SealedPart = { of: user, fields: [], sealed }
  return { ...snapshot, state: { value, context: { [SEALED_KEY]: part as SealedPart & JsonObject } } }
}

/** Undefined where it cannot be opened any more: history is replayed in its place. */
export function openSnapshot(
  { type, id }: { readonly type: string; readonly id: number },
  key: KeyObject | null,
  snapshot: Snapshot,
): Snapshot | undefined {
  const part = sealedPart(snapshot.state.context)
  if (part === undefined) return snapshot
  const text = key === null ? undefined : open(key, part.sealed, `snapshot/${type}/${id}/${snapshot.version}`)
  if (text === undefined) return undefined
  return { ...snapshot, state: { value: snapshot.state.value, context: JSON.parse(text) as JsonObject } }
}

function fieldsOf(entity: EntityDefinition | undefined, type: string): readonly PersonalField[] {
  return entity?.personal === undefined ? [] : personalFields(entity.personal, type)
}

/** Sealed by other code than this: it opens all the same. */
function undeclared(name: string): PersonalField {
  const [first = '', second] = name.split('.')
  const at = second === undefined ? { parent: undefined, key: first } : { parent: first, key: second }
  return { name, placeholder: null, ...at }
}

function placeOf({ actorType, actorId, version, type }: Place): string {
  return `${actorType}/${actorId}/${version}/${type}`
}

/** What of an origin repeats or contradicts the data. */
function enteredIn({ observed, given, conflict }: Origin): Secret['origin'] | undefined {
  if (observed === undefined && given === undefined && conflict === undefined) return undefined
  return {
    ...(observed === undefined ? undefined : { observed }),
    ...(given === undefined ? undefined : { given }),
    ...(conflict === undefined ? undefined : { conflict }),
  }
}

function withoutEntered({ observed: _, given: __, conflict: ___, ...told }: Origin): Origin {
  return told
}
