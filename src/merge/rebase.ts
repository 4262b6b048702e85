/** Events that are not in the log yet, on top of what it says by now: each merged as it will be when it gets there. Pure. */

import type { ActorState } from '../core/state.ts'
import { type Dot, eventsBeside, includesDot, type LoggedDot, vectorOf } from '../core/version-vector.ts'
import { decide, stamp } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { mergeEvent, type OffsideEvent } from './merge-event.ts'

/** An event whose place is known, and what its writer knew beyond the log. */
export interface KnownEvent extends LoggedDot {
  readonly event: OffsideEvent
  readonly extra: readonly Dot[]
}

/** An event that was accepted without the log. */
export interface PendingEvent {
  readonly dot: Dot
  readonly basis: number
  readonly extra: readonly Dot[]
  readonly event: OffsideEvent
  /** ISO 8601, UTC. */
  readonly at: string
}

export interface Rebased {
  readonly state: ActorState
  readonly at: string | null
}

/** The events of the log that are concurrent with a pending one. Its writer knew all its own earlier events, wherever they are by now. */
export function besideOf<Event extends KnownEvent>(
  { dot, basis, extra }: Pick<PendingEvent, 'dot' | 'basis' | 'extra'>,
  log: readonly Event[],
): readonly OffsideEvent[] {
  return eventsBeside({ basis, extra }, Number.POSITIVE_INFINITY, log)
    .filter(other => other.dot[0] !== dot[0])
    .map(other => (includesDot(vectorOf(other.extra), dot) ? { ...other.event, knew: true } : other.event))
}

/**
 * @param base what the log says
 * @param log its events from the lowest basis on, as far as they are known
 * @param pending in the order of their clocks, which what caused what never contradicts
 */
export function rebase(
  entity: EntityDefinition,
  base: Rebased,
  log: readonly KnownEvent[],
  pending: readonly PendingEvent[],
): Rebased {
  let { state, at } = base
  const known: KnownEvent[] = [...log]
  for (const one of pending) {
    const merged = mergeEvent(entity, state, one.event, besideOf(one, known))
    const time: string = at === null || at < one.at ? one.at : at
    const next =
      merged.outcome === 'applied' ? decide(entity, state, stamp(one.event.type, time, merged.data))?.state : undefined
    if (next !== undefined) {
      state = next
      at = time
    }
    known.push({ version: Number.MAX_SAFE_INTEGER, dot: one.dot, extra: one.extra, event: one.event })
  }
  return { state, at }
}
