/** An actor's whole state at one version, as it travels: a copy that stands alone and can be brought forward by deltas. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { isJsonObject, isTooDeep, MAX_DEPTH } from '../core/json.ts'
import { mask } from '../core/mask.ts'
import type { ActorState } from '../core/state.ts'

/** Grows when older code could misread a snapshot or a delta. */
export const SNAPSHOT_FORMAT = 1
/** Bytes of JSON a snapshot may take; what is larger is neither written nor read. */
export const MAX_SNAPSHOT_BYTES = 16 * 1024 * 1024
/** A state holds event data inside rows and contexts. */
const MAX_STATE_DEPTH = MAX_DEPTH + 8

export interface ActorSnapshot {
  readonly type: string
  readonly id: number
  /** Version of the last event in it; at least 1. */
  readonly version: number
  /** Shape of the context, as the entity counts it. */
  readonly stateVersion: number
  readonly format: typeof SNAPSHOT_FORMAT
  readonly state: ActorState
  /** Time of the last event, ISO 8601 UTC. */
  readonly at: string
}

const state = z.custom<ActorState>(
  value =>
    isJsonObject(value) &&
    (typeof value['value'] === 'string' || isJsonObject(value['value'])) &&
    isJsonObject(value['context']) &&
    !isTooDeep(value, MAX_STATE_DEPTH),
  'not a state',
)

/** What snapshots and deltas have in common. */
export const addressFields = {
  type: z.string().min(1).max(41),
  id: z.int().min(1),
  stateVersion: z.int().min(1),
  format: z.literal(SNAPSHOT_FORMAT),
}

export const snapshotSchema = z.object({
  ...addressFields,
  version: z.int().min(1),
  state,
  at: z.iso.datetime({ offset: true }),
}) satisfies z.ZodType<ActorSnapshot>

/** Reads what came from outside. Throws AppError `invalid_input`, `schema_mismatch` (a newer format). */
export function parseSnapshot(value: unknown): ActorSnapshot {
  return parseAs(snapshotSchema, value, 'snapshot')
}

export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: 'snapshot' | 'delta',
): z.output<Schema> {
  refuseNewerFormat(value, what)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues[0]?.path.join('.') || 'the whole'
  throw new AppError(
    'invalid_input',
    `This is not a ${what} (${where}). Nothing was changed; ask the node for a new one.`,
  )
}

export function refuseNewerFormat(value: unknown, what: 'snapshot' | 'delta'): void {
  const format = isJsonObject(value) ? value['format'] : undefined
  if (typeof format === 'number' && format > SNAPSHOT_FORMAT) throw newerFormat(what, format)
}

export function newerFormat(what: 'snapshot' | 'delta', format: number): AppError {
  return new AppError(
    'schema_mismatch',
    `The ${what} has format ${format}; this code knows it up to ${SNAPSHOT_FORMAT}. Nothing was changed. Upgrade the reader.`,
    { details: { format, known: SNAPSHOT_FORMAT } },
  )
}

/** As it may leave the node: without password hashes, token hashes and stream keys. */
export function maskSnapshot(snapshot: ActorSnapshot): ActorSnapshot {
  return { ...snapshot, state: { value: snapshot.state.value, context: mask(snapshot.state.context) } }
}
