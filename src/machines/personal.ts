/** What an entity says of the personal data in its events: whose it is, which fields hold it, and what is read once it is erased. */
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts'
import type { ActorState } from '../core/state.ts'

/** What is read in place of an erased field. Undefined: the field is absent. */
export type Placeholder = Json | undefined | ((user: number) => Json)

export interface PersonalDefinition {
  /** The user an actor's data is about, as of a state: the same in all states in which it is known. Null: nobody. */
  subject(id: number, state: ActorState): number | null
  /**
   * By event type: its personal fields, as `email` or `row.email`, each with what is read in its place after the erasure.
   * No guard may depend on them: history leads to the same states without.
   */
  readonly fields: Readonly<Record<string, Readonly<Record<string, Placeholder>>>>
}

/** The user whom an actor's data is about, as of a state; undefined where it is about nobody, or nothing of it is personal. */
export function subjectOf(
  { personal }: { readonly personal?: PersonalDefinition },
  id: number,
  state: ActorState,
): number | undefined {
  return personal?.subject(id, state) ?? undefined
}

/** One field that an event of some type may have. */
export interface PersonalField {
  readonly name: string
  /** Of `row.email` the first half; undefined for a field of the data itself. */
  readonly parent: string | undefined
  readonly key: string
  readonly placeholder: Placeholder
}

const NONE: readonly PersonalField[] = []
const known = new WeakMap<PersonalDefinition, Map<string, readonly PersonalField[]>>()

export function personalFields(definition: PersonalDefinition, type: string): readonly PersonalField[] {
  let byType = known.get(definition)
  if (byType === undefined) {
    byType = new Map(
      Object.entries(definition.fields).map(([name, fields]) => [name, Object.entries(fields).map(field)]),
    )
    known.set(definition, byType)
  }
  return byType.get(type) ?? NONE
}

function field([name, placeholder]: readonly [string, Placeholder]): PersonalField {
  const [first = '', second] = name.split('.')
  return {
    name,
    placeholder,
    ...(second === undefined ? { parent: undefined, key: first } : { parent: first, key: second }),
  }
}

/** The value of a field; undefined where the data lacks it. */
export function readField(data: JsonObject, { parent, key }: PersonalField): Json | undefined {
  if (parent === undefined) return data[key]
  const within = data[parent]
  return isJsonObject(within) ? within[key] : undefined
}

/** A copy of the data with these fields changed; undefined takes one out. */
export function withFields(
  data: JsonObject,
  changes: readonly (readonly [PersonalField, Json | undefined])[],
): JsonObject {
  const copy: Record<string, Json> = { ...data }
  const copied = new Set<string>()
  for (const [{ parent, key }, value] of changes) {
    let target = copy
    if (parent !== undefined) {
      if (!copied.has(parent)) copy[parent] = { ...(copy[parent] as JsonObject | undefined) }
      copied.add(parent)
      target = copy[parent] as Record<string, Json>
    }
    if (value === undefined) delete target[key]
    else target[key] = value
  }
  return copy
}

/** The data with what is read in place of its personal fields. */
export function erasedData(definition: PersonalDefinition, type: string, data: JsonObject, user: number): JsonObject {
  const present = personalFields(definition, type).filter(field => readField(data, field) !== undefined)
  return withFields(
    data,
    present.map(field => [field, erasedValue(field, user)]),
  )
}

export function erasedValue({ placeholder }: PersonalField, user: number): Json | undefined {
  return typeof placeholder === 'function' ? placeholder(user) : placeholder
}
