/** What is known about the age of an actor's copy in memory: whether it may answer a read in place of the log. */
import { AppError } from '../core/errors.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import { formatStateValue } from '../core/state.ts'
import type { EntityDefinition } from '../machines/define.ts'
import type { StateOptions } from './api.ts'
import type { Loaded } from './load.ts'

const MAX_STALE_MS = 60_000

/** Throws AppError `invalid_input`. */
export function maxStaleOf({ maxStaleMs = 0 }: StateOptions): number {
  if (maxStaleMs >= 0 && maxStaleMs <= MAX_STALE_MS) return maxStaleMs
  throw new AppError('invalid_input', `maxStaleMs is from 0 to ${MAX_STALE_MS}.`)
}

/**
 * A state that permits something is not told by a node that cannot see whether it was ended.
 * Throws AppError `log_unavailable`.
 */
export function refuseGrant({ grantsIn }: EntityDefinition, ref: ActorRef, { state }: Loaded): void {
  if (!grantsIn.includes(formatStateValue(state.value))) return
  throw new AppError(
    'log_unavailable',
    `Postgres is away, and ${formatActorRef(ref)} may have been ended there. Nothing is lost; ask again, or ask another node.`,
  )
}

export class Freshness {
  /** The copy has all that was committed before this clock time. */
  #knownAt = Number.NEGATIVE_INFINITY
  /** Reading of the link at that time. */
  #reading: number | undefined
  #heard = 0

  /**
   * The copy was compared with the log.
   * @param asked the clock time before the log was asked
   * @param reading that of the link before the log was asked
   */
  known(asked: number, reading: number | undefined): void {
    this.#knownAt = asked
    this.#reading = reading
  }

  /** The others have told of this version: a copy that lacks it is behind what listeners on this node know. */
  heard(version: number): void {
    if (version > this.#heard) this.#heard = version
  }

  /**
   * The age alone is the bound, for a link may be wrong about itself; the link makes what is within it fresher, and a
   * doubt about it ends the trust at once.
   */
  allows(version: number, now: number, maxStaleMs: number, reading: number | undefined): boolean {
    const age = now - this.#knownAt
    // A clock that was set back tells no age.
    const young = age >= 0 && age <= maxStaleMs && maxStaleMs > 0
    return young && reading !== undefined && reading === this.#reading && version >= this.#heard
  }
}
