/**
 * The model of the exchange: a set in which a removal prevails over every addition that did not know of it: what permissions need.
 *
 * Changes are applied in causal order (`causal-inbox.ts`). A removal leaves a tombstone, for additions beside it may still
 * be on their way; `stability.ts` says when none can be. After Baquero, Almeida and Shoker, "Pure Operation-Based
 * Replicated Data Types" (2017).
 */
import { type Dot, formatDot, includesDot } from '../../src/core/version-vector.ts'
import type { CausalEvent } from '../../src/merge/causal-inbox.ts'

export interface SetChange extends CausalEvent {
  readonly kind: 'add' | 'remove'
  readonly member: string
}

export interface RemoveWinsSet {
  /** Member → the dots of the additions that hold it there. */
  readonly members: ReadonlyMap<string, readonly Dot[]>
  /** Member → the dots of the removals that additions are held against. */
  readonly tombstones: ReadonlyMap<string, readonly Dot[]>
}

export const EMPTY_SET: RemoveWinsSet = { members: new Map(), tombstones: new Map() }

export function changeSet({ members, tombstones }: RemoveWinsSet, change: SetChange): RemoveWinsSet {
  const { kind, member, dot, knows } = change
  if (kind === 'remove') {
    // In causal order, an addition that is here already did not know of this removal.
    const left = new Map(members)
    left.delete(member)
    return { members: left, tombstones: alsoWith(tombstones, member, dot) }
  }
  const unknown = (tombstones.get(member) ?? []).some(removal => !includesDot(knows, removal))
  return unknown ? { members, tombstones } : { members: alsoWith(members, member, dot), tombstones }
}

/** Without the tombstones that no addition can come to any more. */
export function prune({ members, tombstones }: RemoveWinsSet, isStable: (removal: Dot) => boolean): RemoveWinsSet {
  const kept = [...tombstones].map(([member, dots]) => [member, dots.filter(dot => !isStable(dot))] as const)
  return { members, tombstones: new Map(kept.filter(([, dots]) => dots.length > 0)) }
}

function alsoWith(
  dots: ReadonlyMap<string, readonly Dot[]>,
  member: string,
  dot: Dot,
): ReadonlyMap<string, readonly Dot[]> {
  const known = dots.get(member) ?? []
  const again = known.some(other => formatDot(other) === formatDot(dot))
  return again ? dots : new Map([...dots, [member, [...known, dot]]])
}
