/**
 * The hot path of projections: every event of the log passes through here once. It groups a page by actor and folds each
 * actor's events in a row; nothing in the loops allocates but the states themselves.
 */
import type { LogEvent, RecordedEvent } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { ActorState } from '../core/state.ts'
import { fold, initialState } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { isViewed, type Viewed } from './read-table.ts'

/** An actor as of one of its events. */
export interface FoldedActor {
  readonly entity: Viewed
  readonly ref: ActorRef
  readonly version: number
  /** Position of that event. */
  readonly position: number
  readonly state: ActorState
}

/** Why an actor cannot be projected. */
export interface Failure {
  readonly ref: ActorRef
  /** Position of the event at which it stopped. */
  readonly position: number
  readonly error: string
}

/** The events of one actor in a page, in order. */
export interface Touched {
  readonly key: string
  readonly entity: Viewed
  readonly ref: ActorRef
  readonly events: LogEvent[]
}

export interface Grouped {
  readonly touched: readonly Touched[]
  /** The first event of each actor of which the registry knows nothing. */
  readonly strangers: readonly Failure[]
}

/** Groups a page by actor. Actors of entities without a read table need no folding and are left out. */
export function groupByActor(events: readonly LogEvent[], entities: ReadonlyMap<string, EntityDefinition>): Grouped {
  const touched: Touched[] = []
  const strangers: Failure[] = []
  // Numbers as keys: a text for each event would cost more than the rest of this loop.
  const byType = new Map<string, Map<number, Touched | undefined>>()
  for (const event of events) {
    let known = byType.get(event.actorType)
    if (known === undefined) {
      known = new Map()
      byType.set(event.actorType, known)
    }
    const open = known.get(event.actorId)
    if (open !== undefined) {
      open.events.push(event)
      continue
    }
    if (known.has(event.actorId)) continue
    const entity = entities.get(event.actorType)
    const ref = { type: event.actorType, id: event.actorId }
    if (isViewed(entity)) {
      const first = { key: formatActorRef(ref), entity, ref, events: [event] }
      known.set(event.actorId, first)
      touched.push(first)
    } else {
      known.set(event.actorId, undefined)
      if (entity === undefined) strangers.push(stranger(ref, event.position))
    }
  }
  return { touched, strangers }
}

export function stranger(ref: ActorRef, position: number): Failure {
  return { ref, position, error: `there is no entity '${ref.type}'` }
}

export interface FoldResult {
  /** Where the actor got to: its last good event. Undefined where not even the first could be folded. */
  readonly actor: FoldedActor | undefined
  readonly failure: Failure | undefined
}

/** Folds the next events of an actor. What its machine cannot take is a failure of that actor, never a throw. */
export function foldOn(
  entity: Viewed,
  ref: ActorRef,
  start: FoldedActor | undefined,
  events: readonly RecordedEvent[],
): FoldResult {
  let state = start?.state ?? initialState(entity)
  let version = start?.version ?? 0
  let position = start?.position ?? 0
  let next: RecordedEvent | undefined
  let failure: Failure | undefined
  try {
    for (const event of events) {
      next = event
      if (event.version !== version + 1)
        throw new Error(`version ${event.version} follows version ${version}: the log has lost events of this actor`)
      state = fold(entity, state, event)
      version = event.version
      position = event.position
    }
  } catch (error) {
    failure = { ref, position: next?.position ?? position, error: String(error) }
  }
  return { actor: version === 0 ? undefined : { entity, ref, version, position, state }, failure }
}
