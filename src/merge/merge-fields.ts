/** Last writer wins, each field for itself. */
import type { Json } from '../core/json.ts'
import { canonicalJson } from '../core/state.ts'
import { type FieldRule, isLater, type Merged, type OffsideEvent } from '../machines/merge-rules.ts'
import { conflictOver } from './conflict-over.ts'

/**
 * What an event knew of is not compared with it: the hybrid time of the event is later.
 * @param others concurrent events of the same type, in order
 */
export function mergeFields(
  rules: Readonly<Record<string, FieldRule>>,
  event: OffsideEvent,
  others: readonly OffsideEvent[],
): Merged {
  const kept: Record<string, Json> = {}
  const lost: Record<string, Json> = {}
  const beaten: Record<string, Json> = {}
  for (const [field, value] of Object.entries(event.data)) {
    if (value === undefined) continue
    const rule = rules[field] ?? 'last'
    const rivals = others.filter(other => other.data[field] !== undefined)
    const rival = rivals.reduce<OffsideEvent | undefined>(
      (last, other) => (last === undefined || isLater(other, last) ? other : last),
      undefined,
    )
    const wins =
      rule === 'max' ? rivals.every(other => isLess(other.data[field], value)) : !rival || isLater(event, rival)
    // A winner is appended even where its value stands there already: its time has to be in the log.
    if (wins) kept[field] = value
    const against = rival?.data[field]
    // Who knew of the event meant to replace it: that is no conflict.
    if (rule !== 'keep-both' || against === undefined || rival?.knew === true) continue
    if (canonicalJson(against) === canonicalJson(value)) continue
    if (wins) beaten[field] = against
    else lost[field] = value
  }
  const conflict = conflictOver('lww', lost, beaten)
  const merged: Merged = Object.keys(kept).length === 0 ? { outcome: 'absorbed' } : { outcome: 'applied', data: kept }
  return conflict === undefined ? merged : { ...merged, conflict }
}

function isLess(a: Json | undefined, b: Json): boolean {
  return typeof a === 'number' && typeof b === 'number' && a < b
}
