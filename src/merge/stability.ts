/** Causal stability: when whatever may still arrive is known to have been written by somebody who knew. */
import { type Dot, includesDot, type VersionVector } from '../core/version-vector.ts'

/**
 * By incarnation: what it has said it holds. A promise of an incarnation covers all it writes afterwards, and nothing that
 * a later incarnation of its node writes: that one may have started from less, and has to promise for itself.
 */
export type Promises = ReadonlyMap<string, VersionVector>

export interface Membership {
  readonly live: readonly string[]
  /** Incarnations that are over → their last n. */
  readonly sealed: VersionVector
}

/** The promises that still count. */
export function promisesOfLiving(promises: Promises, { live }: Membership): Promises {
  return new Map([...promises].filter(([source]) => live.includes(source)))
}

/**
 * True where every event that is not held here yet was, or will be, written by somebody who knew of this one.
 *
 * Each live incarnation has promised to hold it, and what it wrote before its promise is held here; of each sealed one all
 * there will ever be is held here.
 */
export function isStable(dot: Dot, held: VersionVector, promises: Promises, { live, sealed }: Membership): boolean {
  const promised = live.every(source => {
    const promise = promises.get(source)
    return promise !== undefined && includesDot(promise, dot) && includesDot(held, [source, promise.get(source) ?? 0])
  })
  return promised && [...sealed].every(last => includesDot(held, last))
}
