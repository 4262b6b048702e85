/** What becomes of an event that was accepted beside others, when it reaches the log they are in. */
import type { JsonObject } from '../core/json.ts'
import { type ActorState, canonicalJson } from '../core/state.ts'
import type { EntityDefinition } from '../machines/define.ts'

export interface OffsideEvent {
  readonly type: string
  readonly data: JsonObject
  readonly clock: string
  readonly node: string
}

export interface MergeConflict {
  readonly strategy: string
  readonly fields: readonly string[]
  readonly winner: 'log' | 'event'
  readonly loser: JsonObject
}

export type Merged =
  | { readonly outcome: 'applied'; readonly data: JsonObject; readonly conflict?: MergeConflict }
  | { readonly outcome: 'absorbed'; readonly conflict?: MergeConflict }

const MERGEABLE: Readonly<Record<string, readonly string[]>> = {
  user: ['user.updated'],
  session: ['session.touched', 'session.closed', 'session.revoked'],
}

/** From the weakest to the strongest: a session is never brought back. */
const LATTICE: Readonly<Record<string, number>> = { active: 0, expired: 1, closed: 2, revoked: 3 }

export function isMergeable(entity: EntityDefinition, type: string): boolean {
  return MERGEABLE[entity.type]?.includes(type) ?? false
}

export function mergeEvent(
  entity: EntityDefinition,
  state: ActorState,
  event: OffsideEvent,
  beside: readonly OffsideEvent[],
): Merged {
  if (entity.type === 'session') {
    const reached = LATTICE[String(state.value)] ?? 0
    const wanted = { 'session.closed': 2, 'session.revoked': 3 }[event.type] ?? 0
    return wanted > reached || (event.type === 'session.touched' && reached === 0)
      ? { outcome: 'applied', data: event.data }
      : { outcome: 'absorbed' }
  }
  return mergeFields(state, event, beside)
}

/** The last writer of each field wins, by clock and then by node. */
function mergeFields(state: ActorState, event: OffsideEvent, beside: readonly OffsideEvent[]): Merged {
  if (state.value === 'deleted') return { outcome: 'absorbed' }
  const kept: Record<string, JsonObject[string]> = {}
  const lost: Record<string, JsonObject[string]> = {}
  const overwritten: Record<string, JsonObject[string]> = {}
  for (const [field, value] of Object.entries(event.data)) {
    const rival = beside
      .filter(other => other.type === event.type && Object.hasOwn(other.data, field))
      .sort(order)
      .at(-1)
    if (rival !== undefined && order(rival, event) > 0) lost[field] = value
    else {
      kept[field] = value
      const other = rival?.data[field]
      if (other !== undefined && canonicalJson(other) !== canonicalJson(value)) overwritten[field] = other
    }
  }
  const all = Object.keys(kept).length === 0
  const [winner, loser] = Object.keys(lost).length > 0 ? (['log', lost] as const) : (['event', overwritten] as const)
  const fields = Object.keys(loser)
  const conflict = fields.length === 0 ? {} : { conflict: { strategy: 'lww', fields, winner, loser } }
  return all ? { outcome: 'absorbed', ...conflict } : { outcome: 'applied', data: kept, ...conflict }
}

function order(a: OffsideEvent, b: OffsideEvent): number {
  const [first, second] = [`${a.clock} ${a.node}`, `${b.clock} ${b.node}`]
  return first < second ? -1 : Number(first > second)
}
