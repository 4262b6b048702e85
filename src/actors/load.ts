/** Brings an actor's state back from its snapshot and events, now or at an earlier point. */
import { AppError } from '../core/errors.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import { formatActorRef } from '../core/ids.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import { type ActorState, formatStateValue } from '../core/state.ts'
import { allowedEvents, fold, initialState } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import type { ActorView } from './api.ts'

export interface Loaded {
  readonly version: number
  readonly state: ActorState
  /** Time of the last event; null for an actor without events. */
  readonly at: string | null
  /** Of accepted commands that are not in the log yet and are on top of `version`, where there are any. */
  readonly pending?: Pending
  /** Hybrid time of the last event that was accepted beside the log. */
  readonly clock?: string | undefined
}

export interface Pending {
  /** Of this node. */
  readonly own: number
  /** Of other nodes, as far as they were heard. */
  readonly others: number
}

export interface LoadPorts {
  readonly store: EventStore
  readonly log: Logger
}

/** The newest state. Throws AppError `history_drift`, `schema_mismatch` (an event of newer code), `log_unavailable`. */
export async function load(ports: LoadPorts, entity: EntityDefinition, ref: ActorRef): Promise<Loaded> {
  // Most actors have no snapshot, because they have had too few events for one: those are asked for beside it.
  const [snapshot, first] = await Promise.all([
    fromSnapshot(ports, entity, ref),
    firstEvents(ports, ref, entity.snapshotEvery),
  ])
  if (snapshot !== undefined) return catchUp(ports, entity, ref, snapshot)
  const loaded = foldAll(entity, beginning(entity), first)
  return first.length < entity.snapshotEvery ? loaded : catchUp(ports, entity, ref, loaded)
}

async function firstEvents({ store }: LoadPorts, ref: ActorRef, count: number): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const chunk of store.readRecorded(ref, { from: 1, to: count })) events.push(...chunk)
  return events
}

function foldAll(entity: EntityDefinition, from: Loaded, events: readonly RecordedEvent[]): Loaded {
  let loaded = from
  for (const event of events) loaded = folded(entity, loaded, event)
  return loaded
}

function folded(entity: EntityDefinition, from: Loaded, event: RecordedEvent): Loaded {
  const clock = event.origin?.clock ?? from.clock
  return { version: event.version, state: fold(entity, from.state, event), at: event.at, clock }
}

/** Like `catchUp`; one that was held to have no events is looked for with its snapshot. */
export async function newest(ports: LoadPorts, entity: EntityDefinition, ref: ActorRef, from: Loaded): Promise<Loaded> {
  if (from.version > 0) return catchUp(ports, entity, ref, from)
  const found = await load(ports, entity, ref)
  return found.version === 0 ? from : found
}

/** Folds what was appended since. Returns `from` itself where nothing was. */
export async function catchUp(
  { store }: LoadPorts,
  entity: EntityDefinition,
  ref: ActorRef,
  from: Loaded,
  until: { version?: number; at?: string } = {},
): Promise<Loaded> {
  let loaded = from
  const range = { from: from.version + 1, ...(until.version === undefined ? {} : { to: until.version }) }
  for await (const events of store.readRecorded(ref, range))
    for (const event of events) {
      if (until.at !== undefined && Date.parse(event.at) > Date.parse(until.at)) return loaded
      loaded = folded(entity, loaded, event)
    }
  return loaded
}

/** The state after `version`, or after the last event not later than `at` (ISO 8601). */
export async function loadAt(
  ports: LoadPorts,
  entity: EntityDefinition,
  ref: ActorRef,
  point: { version: number } | { at: string },
): Promise<Loaded> {
  const snapshot = await fromSnapshot(ports, entity, ref)
  const usable =
    snapshot !== undefined &&
    ('version' in point
      ? snapshot.version <= point.version
      : snapshot.at !== null && Date.parse(snapshot.at) <= Date.parse(point.at))
  return catchUp(ports, entity, ref, usable ? snapshot : beginning(entity), point)
}

export function viewOf(entity: EntityDefinition, ref: ActorRef, { version, state, at, pending }: Loaded): ActorView {
  return {
    ref,
    version,
    state: formatStateValue(state.value),
    context: state.context,
    allowed: allowedEvents(entity, state),
    at,
    ...(pending === undefined ? undefined : { tentative: true, pending }),
  }
}

/** As an actor without events is. */
export function beginning(entity: EntityDefinition): Loaded {
  return { version: 0, state: initialState(entity), at: null }
}

/** The snapshot where it can be trusted; anything wrong with it costs a replay and a warning, never the actor. */
async function fromSnapshot(
  { store, log }: LoadPorts,
  entity: EntityDefinition,
  ref: ActorRef,
): Promise<Loaded | undefined> {
  const actor = formatActorRef(ref)
  try {
    const snapshot = await store.loadSnapshot(ref)
    if (snapshot === undefined) return undefined
    if (snapshot.stateVersion !== entity.stateVersion) {
      log.info(
        { actor, found: snapshot.stateVersion, wanted: entity.stateVersion },
        'snapshot of another shape: replaying',
      )
      return undefined
    }
    // Throws where the machine no longer has the state.
    allowedEvents(entity, snapshot.state)
    for await (const [event] of store.readRecorded(ref, { from: snapshot.version, to: snapshot.version }))
      if (event !== undefined)
        return { version: snapshot.version, state: snapshot.state, at: event.at, clock: event.origin?.clock }
    log.warn({ actor, version: snapshot.version }, 'snapshot of a version the log does not have: replaying')
  } catch (error) {
    if (error instanceof AppError && error.retryable) throw error
    log.warn({ actor, error: String(error) }, 'snapshot cannot be used: replaying')
  }
  return undefined
}
