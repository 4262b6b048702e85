/** Takes snapshots and deltas of actors from the log. */
import type { ActorSystem } from '../actors/api.ts'
import { AppError } from '../core/errors.ts'
import type { RecordedEvent } from '../core/event.ts'
import { type ActorRef, actorRef, formatActorRef } from '../core/ids.ts'
import type { EventStore } from '../core/ports.ts'
import { parseStateValue } from '../core/state.ts'
import { type ActorDelta, type DeltaEvent, MAX_DELTA_EVENTS } from './delta.ts'
import { type ActorSnapshot, SNAPSHOT_FORMAT } from './snapshot.ts'

export interface SnapshotReader {
  /** The newest state in the log. Throws AppError `unknown_type`, `invalid_input`, `not_found` (no events). */
  getSnapshot(type: string, id: number): Promise<ActorSnapshot>
  /**
   * What came after a version: the events, or the whole snapshot where these are more than a thousand or take more bytes
   * than it. Throws AppError `not_found` also where the log has no such version yet.
   */
  getDelta(type: string, id: number, sinceVersion: number): Promise<ActorDelta>
}

export interface SnapshotReaderOptions {
  readonly actors: Pick<ActorSystem, 'actor' | 'entities'>
  readonly store: Pick<EventStore, 'readRecorded'>
}

export function createSnapshotReader({ actors, store }: SnapshotReaderOptions): SnapshotReader {
  const take = async (ref: ActorRef): Promise<ActorSnapshot> => {
    const { version, state, context, at } = await actors.actor(ref).state({ logged: true })
    const entity = actors.entities.get(ref.type)
    if (at === null || entity === undefined) throw new AppError('not_found', `${formatActorRef(ref)} has no events.`)
    return {
      type: ref.type,
      id: ref.id,
      version,
      stateVersion: entity.stateVersion,
      format: SNAPSHOT_FORMAT,
      state: { value: parseStateValue(state), context },
      at,
    }
  }

  return {
    getSnapshot: async (type, id) => take(actorRef(type, id)),
    async getDelta(type, id, since) {
      const ref = actorRef(type, id)
      if (!Number.isSafeInteger(since) || since < 0)
        throw new AppError('invalid_input', 'A version is a whole number from 0 on.')
      const snapshot = await take(ref)
      if (since > snapshot.version)
        throw new AppError(
          'not_found',
          `${formatActorRef(ref)} has no version ${since}; its last is ${snapshot.version}.`,
        )
      const { stateVersion, format, version: to } = snapshot
      const head = { type: ref.type, id: ref.id, from: since, to, stateVersion, format }
      const events = await eventsBetween(store, ref, since, snapshot)
      return events === undefined ? { ...head, kind: 'snapshot', snapshot } : { ...head, kind: 'events', events }
    },
  }
}

/** Undefined where they are more than the snapshot is worth; reading stops there. */
async function eventsBetween(
  store: SnapshotReaderOptions['store'],
  ref: ActorRef,
  since: number,
  snapshot: ActorSnapshot,
): Promise<readonly DeltaEvent[] | undefined> {
  if (snapshot.version === since) return []
  if (snapshot.version - since > MAX_DELTA_EVENTS) return undefined
  let left = JSON.stringify(snapshot).length
  const events: DeltaEvent[] = []
  for await (const chunk of store.readRecorded(ref, { from: since + 1, to: snapshot.version }))
    for (const recorded of chunk) {
      const event = deltaEvent(recorded)
      left -= JSON.stringify(event).length
      if (left < 0) return undefined
      events.push(event)
    }
  return events
}

function deltaEvent({ version, position, type, schemaVersion, data, state, at }: RecordedEvent): DeltaEvent {
  return { version, position, type, schemaVersion, data, state, at }
}
