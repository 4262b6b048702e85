/** What changed between two states of an actor, path by path, without showing secrets. */
import { isJsonObject, type Json, type JsonObject } from './json.ts'
import { isSecretKey, MASK, mask } from './mask.ts'
import { canonicalJson } from './state.ts'

export interface StatePoint {
  /** As `formatStateValue` writes it. */
  readonly state: string
  readonly context: JsonObject
}

export interface PathChange {
  /** Keys from the context inwards: `row`, `viewer_count`. */
  readonly path: readonly string[]
  /** Absent where the path came to be. Masked, but a change of a secret is still a change. */
  readonly before?: Json
  /** Absent where the path went. */
  readonly after?: Json
}

export interface StateDiff {
  /** Undefined where the state is the same. */
  readonly state: { readonly before: string; readonly after: string } | undefined
  /** By path, in the order of its keys. */
  readonly changes: readonly PathChange[]
}

/** Objects are followed inwards; an array is one value, because its places have no identity. */
export function diffStates(before: StatePoint, after: StatePoint): StateDiff {
  return {
    state: before.state === after.state ? undefined : { before: before.state, after: after.state },
    changes: changesBetween([], before.context, after.context),
  }
}

function changesBetween(path: readonly string[], before: JsonObject, after: JsonObject): readonly PathChange[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return keys.flatMap(key => {
    const inner = [...path, key]
    const was = Object.hasOwn(before, key) ? before[key] : undefined
    const is = Object.hasOwn(after, key) ? after[key] : undefined
    if (canonicalOrAbsent(was) === canonicalOrAbsent(is)) return []
    if (isJsonObject(was) && isJsonObject(is) && !isSecretKey(key)) return changesBetween(inner, was, is)
    return [
      {
        path: inner,
        ...(was === undefined ? {} : { before: maskAt(key, was) }),
        ...(is === undefined ? {} : { after: maskAt(key, is) }),
      },
    ]
  })
}

// Undefined and null are told apart: a path that came to be with null is a change.
function canonicalOrAbsent(value: Json | undefined): string | undefined {
  return value === undefined ? undefined : canonicalJson(value)
}

function maskAt(key: string, value: Json): Json {
  if (value !== null && isSecretKey(key)) return MASK
  return mask({ value })['value'] ?? null
}
