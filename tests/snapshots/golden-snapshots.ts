/** Snapshots and deltas made of the golden logs, for every entity. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { RecordedEvent } from '../../src/core/event.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { fold, initialState } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import type { ActorDelta, DeltaEvent } from '../../src/snapshots/delta.ts'
import { type ActorSnapshot, SNAPSHOT_FORMAT } from '../../src/snapshots/snapshot.ts'

const GOLDEN = path.resolve(import.meta.dirname, '../fixtures/golden')
const ID = 7

export interface GoldenActor {
  readonly entity: EntityDefinition
  readonly events: readonly DeltaEvent[]
}

/** One entry for each golden log of each entity. */
export const goldenActors: readonly GoldenActor[] = entities.flatMap(entity => {
  const logs = JSON.parse(readFileSync(path.join(GOLDEN, `${entity.type}.json`), 'utf8')) as {
    events: Omit<DeltaEvent, 'version' | 'position'>[]
  }[]
  return logs.map(({ events }) => ({
    entity,
    events: events.map((event, index) => ({ ...event, version: index + 1, position: 100 + index })),
  }))
})

export function goldenActor(type: string): GoldenActor {
  const found = goldenActors.find(({ entity }) => entity.type === type)
  if (found === undefined) throw new Error(`no golden log of ${type}`)
  return found
}

export function recorded(type: string, event: DeltaEvent): RecordedEvent {
  return { ...event, actorType: type, actorId: ID as ActorId }
}

export function snapshotAt({ entity, events }: GoldenActor, version: number): ActorSnapshot {
  const state = events
    .slice(0, version)
    .reduce((from, event) => fold(entity, from, recorded(entity.type, event)), initialState(entity))
  const { type, stateVersion } = entity
  return { type, id: ID, version, stateVersion, format: SNAPSHOT_FORMAT, state, at: events[version - 1]?.at ?? '' }
}

export function deltaBetween({ entity, events }: GoldenActor, from: number, to: number = events.length): ActorDelta {
  const { type, stateVersion } = entity
  const head = { type, id: ID, from, to, stateVersion, format: SNAPSHOT_FORMAT } as const
  return { ...head, kind: 'events', events: events.slice(from, to) }
}
