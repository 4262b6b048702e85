/** A set that is written whole: what each writer took out and put in, over what the log has by now. */
import type { JsonObject } from '../core/json.ts'
import type { Merged, OffsideEvent } from '../machines/merge-rules.ts'
import { conflictOver } from './conflict-over.ts'

interface SetRule {
  readonly field: string
  readonly wins: 'add' | 'remove'
}

/**
 * @param head the set of the head of the log
 * @param others concurrent events of the same type, in order
 */
export function mergeSet(
  { field, wins }: SetRule,
  head: readonly string[],
  event: OffsideEvent,
  others: readonly OffsideEvent[],
): Merged {
  const wanted = members(event.data, field)
  const observed = observedBy(field, head, event, others)
  const added = wanted.filter(member => !observed.includes(member))
  const removed = observed.filter(member => !wanted.includes(member))
  const other = changesOf(field, observed, others)

  const lostAdds = wins === 'remove' ? both(added, other.removed) : []
  const lostRemoves = wins === 'add' ? both(removed, other.added) : []
  const set = new Set([...head, ...added.filter(member => !lostAdds.includes(member))])
  for (const member of removed) if (!lostRemoves.includes(member)) set.delete(member)

  const beaten = wins === 'remove' ? both(removed, other.added) : both(added, other.removed)
  const conflict = conflictOver('orSet', named(field, [...lostAdds, ...lostRemoves]), named(field, beaten))
  const unchanged = set.size === head.length && head.every(member => set.has(member))
  const merged: Merged = unchanged
    ? { outcome: 'absorbed' }
    : { outcome: 'applied', data: { ...event.data, [field]: [...set].sort() } }
  return conflict === undefined ? merged : { ...merged, conflict }
}

function observedBy(
  field: string,
  head: readonly string[],
  event: OffsideEvent,
  others: readonly OffsideEvent[],
): readonly string[] {
  if (event.observed !== undefined) return members(event.observed, field)
  // It was not written down. Where there are concurrent events, all there is counts as seen: what it left out goes, and nothing comes back.
  return others.length === 0 ? head : [...new Set([...head, ...members(event.data, field)])]
}

/** What the others put in and took out at any time, were it undone since or not. */
function changesOf(field: string, observed: readonly string[], others: readonly OffsideEvent[]) {
  const added = new Set<string>()
  const removed = new Set<string>()
  let before = observed
  for (const other of others) {
    const after = members(other.data, field)
    for (const member of after) if (!before.includes(member)) added.add(member)
    for (const member of before) if (!after.includes(member)) removed.add(member)
    before = after
  }
  return { added, removed }
}

function both(members: readonly string[], others: ReadonlySet<string>): readonly string[] {
  return members.filter(member => others.has(member))
}

function named(field: string, members: readonly string[]): JsonObject {
  return members.length === 0 ? {} : { [field]: members }
}

function members(data: JsonObject, field: string): readonly string[] {
  const value = data[field]
  return Array.isArray(value) ? value.filter(member => typeof member === 'string') : []
}
