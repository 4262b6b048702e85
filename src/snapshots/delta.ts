/** What happened to an actor since a version, and how a snapshot is brought forward by it: pure. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { ActorId } from '../core/ids.ts'
import { isJsonObject, isTooDeep, type JsonObject } from '../core/json.ts'
import { mask } from '../core/mask.ts'
import type { ActorState } from '../core/state.ts'
import { fold } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { entities as registry } from '../machines/index.ts'
import {
  type ActorSnapshot,
  addressFields,
  maskSnapshot,
  parseAs,
  refuseNewerFormat,
  type SNAPSHOT_FORMAT,
  snapshotSchema,
} from './snapshot.ts'

/** Events in one delta; what is further behind gets a snapshot. */
export const MAX_DELTA_EVENTS = 1_000

export type DeltaEvent = Omit<RecordedEvent, 'actorType' | 'actorId'>

interface DeltaHead {
  readonly type: string
  readonly id: number
  /** Versions it leads from and to. */
  readonly from: number
  readonly to: number
  readonly stateVersion: number
  readonly format: typeof SNAPSHOT_FORMAT
}

/** Events with versions from + 1, …, to; or the snapshot at `to`, where those would be more than it. */
export type ActorDelta = DeltaHead &
  (
    | { readonly kind: 'events'; readonly events: readonly DeltaEvent[] }
    | { readonly kind: 'snapshot'; readonly snapshot: ActorSnapshot }
  )

const version = z.int().min(0)

const deltaEvent = z.object({
  version: z.int().min(1),
  position: z.int().min(1),
  type: z.string().min(1).max(81),
  schemaVersion: z.int().min(1),
  data: z.custom<JsonObject>(value => isJsonObject(value) && !isTooDeep(value), 'not the data of an event'),
  state: z.string().max(1_000),
  at: z.iso.datetime({ offset: true }),
}) satisfies z.ZodType<DeltaEvent>

const deltaHead = { ...addressFields, from: version, to: z.int().min(1) }

export const deltaSchema = z.discriminatedUnion('kind', [
  z.object({ ...deltaHead, kind: z.literal('events'), events: z.array(deltaEvent).max(MAX_DELTA_EVENTS) }),
  z.object({ ...deltaHead, kind: z.literal('snapshot'), snapshot: snapshotSchema }),
]) satisfies z.ZodType<ActorDelta>

/** Reads what came from outside. Throws AppError `invalid_input`, `schema_mismatch` (a newer format). */
export function parseDelta(value: unknown): ActorDelta {
  return parseAs(deltaSchema, value, 'delta')
}

/**
 * The snapshot after the delta. Versions it has already are passed over, so that a delta may be applied twice, and the
 * result is never older than what was given. Throws AppError `invalid_input` (another actor, versions missing between the
 * two: `details.have`, `details.from`), `schema_mismatch` (a newer format, or a state of another shape), `history_drift`,
 * `unknown_type`.
 */
export function applyDelta(
  snapshot: ActorSnapshot,
  delta: ActorDelta,
  entities: Iterable<EntityDefinition> = registry,
): ActorSnapshot {
  refuseNewerFormat(snapshot, 'snapshot')
  refuseNewerFormat(delta, 'delta')
  refuseOther(snapshot, delta)
  if (delta.kind === 'snapshot') {
    refuseNewerFormat(delta.snapshot, 'snapshot')
    refuseOther(snapshot, delta.snapshot)
    return delta.snapshot.version > snapshot.version ? delta.snapshot : snapshot
  }
  const entity = [...entities].find(({ type }) => type === snapshot.type)
  if (entity === undefined) throw new AppError('unknown_type', `There is no entity '${snapshot.type}' in this code.`)
  const shapes = [snapshot.stateVersion, delta.stateVersion]
  if (shapes.some(shape => shape !== entity.stateVersion)) throw otherShape(snapshot.type, shapes, entity.stateVersion)
  if (delta.from > snapshot.version) throw gap(snapshot.version, delta.from)
  return foldEvents(entity, snapshot, delta.events)
}

function foldEvents(entity: EntityDefinition, snapshot: ActorSnapshot, events: readonly DeltaEvent[]): ActorSnapshot {
  let { version: reached, at }: { version: number; at: string } = snapshot
  let state: ActorState = snapshot.state
  for (const event of events) {
    if (event.version <= reached) continue
    if (event.version > reached + 1) throw gap(reached, event.version - 1)
    state = fold(entity, state, { ...event, actorType: snapshot.type, actorId: snapshot.id as ActorId })
    reached = event.version
    at = event.at
  }
  return reached === snapshot.version ? snapshot : { ...snapshot, version: reached, state, at }
}

/** As it may leave the node. Folding masked events onto a masked snapshot gives the masked state. */
export function maskDelta(delta: ActorDelta): ActorDelta {
  return delta.kind === 'snapshot'
    ? { ...delta, snapshot: maskSnapshot(delta.snapshot) }
    : { ...delta, events: delta.events.map(event => ({ ...event, data: mask(event.data) })) }
}

function refuseOther(snapshot: ActorSnapshot, other: { readonly type: string; readonly id: number }): void {
  if (snapshot.type === other.type && snapshot.id === other.id) return
  throw new AppError(
    'invalid_input',
    `The snapshot is of ${snapshot.type}/${snapshot.id}, the delta of ${other.type}/${other.id}. The snapshot is unchanged.`,
  )
}

function gap(have: number, from: number): AppError {
  return new AppError(
    'invalid_input',
    `The snapshot has version ${have}, and the delta goes on from version ${from}: what lies between is missing. ` +
      `The snapshot is unchanged; ask for the delta since ${have}.`,
    { details: { have, from } },
  )
}

function otherShape(type: string, found: readonly number[], known: number): AppError {
  return new AppError(
    'schema_mismatch',
    `States of ${type} have shape ${known} in this code; the snapshot has ${found[0]}, the delta ${found[1]}. ` +
      'The snapshot is unchanged. Ask for a whole snapshot, from a node of the same release.',
    { details: { known, snapshot: found[0], delta: found[1] } },
  )
}
