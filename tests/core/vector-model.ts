/** What basis and extra stand for, spelt out: whole vectors and their four-way order. */
import { type Knowledge, type LoggedDot, type VersionVector, vectorOf } from '../../src/core/version-vector.ts'

export type CausalOrder = 'equal' | 'before' | 'after' | 'concurrent'

/** How `a` stands to `b`: `before` where `b` knows all of `a` and more. */
export function compareVectors(a: VersionVector, b: VersionVector): CausalOrder {
  const less = [...b].some(([source, n]) => (a.get(source) ?? 0) < n)
  const more = [...a].some(([source, n]) => (b.get(source) ?? 0) < n)
  if (less && more) return 'concurrent'
  if (less) return 'before'
  return more ? 'after' : 'equal'
}

/**
 * The vector that this knowledge stands for.
 * @param log the actor's events in order, at least up to the basis
 */
export function expand({ basis, extra }: Knowledge, log: readonly LoggedDot[]): VersionVector {
  const known = log.filter(({ version }) => version <= basis).map(({ dot }) => dot)
  return vectorOf([...known, ...extra])
}
