/** An actor's state as it is held, stored and compared: XState's value and context, without the machinery. */
import type { Json, JsonObject } from './json.ts'

/** An XState state value: `'live'`, or nested `{live: 'recording'}`. */
export type StateValue = string | { readonly [region: string]: StateValue | undefined }

export interface ActorState<Context extends object = JsonObject> {
  readonly value: StateValue
  readonly context: Context
}

/** A stored state. A snapshot of another `stateVersion` is dropped and the events are replayed. */
export interface Snapshot {
  readonly version: number
  readonly stateVersion: number
  readonly state: ActorState
}

/** `live`, or `{"live":"recording"}` with sorted keys: equal values give equal texts. */
export function formatStateValue(value: StateValue): string {
  return typeof value === 'string' ? value : canonicalJson(value as Json)
}

/** The value of a formatted state. */
export function parseStateValue(state: string): StateValue {
  return state.startsWith('{') ? (JSON.parse(state) as StateValue) : state
}

/** Whether a formatted state value is one of these top-level states, or within one. `append_checked` has the same rule. */
export function isWithin(state: string, tops: readonly string[]): boolean {
  return tops.some(top => state === top || state.startsWith(`{${JSON.stringify(top)}:`))
}

/** JSON with sorted keys and without undefined, for comparing what jsonb has reordered. */
export function canonicalJson(value: Json | undefined): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const entries = Object.entries(value)
    .filter(([, child]) => child !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join(',')}}`
}
