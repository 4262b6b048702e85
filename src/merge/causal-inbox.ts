/** Causal order: what nodes tell each other without the log is held back until all that it rests on is there, and let through once. */
import { type Dot, includesDot, type VersionVector, withDot } from '../core/version-vector.ts'

export interface CausalEvent {
  readonly dot: Dot
  /** What it rests on: what its writer knew, its own earlier events among it, without what it had heard to be settled. */
  readonly knows: VersionVector
}

export interface CausalInbox<Event extends CausalEvent> {
  /** What was let through. */
  readonly held: VersionVector
  readonly waiting: readonly Event[]
}

/**
 * Takes an event and lets through, in causal order, all that waited for it.
 * @param sealed the last n of incarnations that are over: what a dead one is said to have written later is refused
 */
export function takeIn<Event extends CausalEvent>(
  inbox: CausalInbox<Event>,
  event: Event,
  sealed: VersionVector,
): { readonly inbox: CausalInbox<Event>; readonly ready: readonly Event[] } {
  let { held } = inbox
  // What waited when its incarnation was sealed is refused too.
  let waiting = inbox.waiting.filter(({ dot }) => !isBeyond(sealed, dot))
  const known = includesDot(held, event.dot) || waiting.some(({ dot }) => isSame(dot, event.dot))
  if (!known && !isBeyond(sealed, event.dot)) waiting.push(event)
  const ready: Event[] = []
  for (;;) {
    const next = waiting.find(({ knows }) => [...knows].every(one => includesDot(held, one)))
    if (next === undefined) return { inbox: { held, waiting }, ready }
    held = withDot(held, next.dot)
    // What waits behind a later event of its writer is settled: nothing needs it any more.
    waiting = waiting.filter(other => !includesDot(held, other.dot))
    ready.push(next)
  }
}

function isBeyond(sealed: VersionVector, [source, n]: Dot): boolean {
  return n > (sealed.get(source) ?? n)
}

function isSame(a: Dot, b: Dot): boolean {
  return a[0] === b[0] && a[1] === b[1]
}
