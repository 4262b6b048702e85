/** The wire form of what nodes tell each other: written in pieces of bounded size, parsed as hostile input. */
import { z } from 'zod'
import type { LogEvent } from '../core/event.ts'
import type { ActorId } from '../core/ids.ts'
import { isTooDeep, type JsonObject } from '../core/json.ts'

/** Grows when an older node could misread a frame. */
const FORMAT = 1
/** A frame is closed before it grows beyond this. */
export const FRAME_BYTES = 1024 * 1024
/** What is larger is not even parsed. */
export const MAX_FRAME_BYTES = 2 * FRAME_BYTES

/** One start of a node. */
export interface Sender {
  readonly node: string
  readonly incarnation: number
}

/** Of any version of the trace context format; what is longer is not one. */
const MAX_TRACEPARENT = 200

export type WireFrame = Sender & {
  /** Events frames of a sender are numbered 1, 2, 3, …; the others carry the number of the last events frame. */
  readonly seq: number
} & (
    | { readonly kind: 'events'; readonly events: readonly LogEvent[]; readonly traceparent?: string | undefined }
    | { readonly kind: 'live'; readonly payload: unknown }
    | { readonly kind: 'heartbeat' | 'farewell' }
  )

const nullable = { user: z.int().nullable(), text: z.string().max(1_000).nullable() }

const logEvent = z.object({
  position: z.int().positive(),
  actorType: z.string().min(1).max(64),
  actorId: z
    .int()
    .positive()
    .transform(id => id as ActorId),
  version: z.int().positive(),
  type: z.string().min(1).max(200),
  schemaVersion: z.int().positive(),
  // What JSON.parse returned is JSON; only its shape is in question.
  data: z.custom<JsonObject>(
    value => typeof value === 'object' && value !== null && !Array.isArray(value) && !isTooDeep(value),
  ),
  state: z.string().max(1_000),
  at: z.iso.datetime({ offset: true }),
  userId: nullable.user,
  commandId: nullable.text,
  causation: nullable.user,
  correlation: nullable.text,
  node: z.string().min(1).max(200),
  incarnation: z.int().nonnegative(),
  n: z.int().nonnegative(),
  token: nullable.user,
}) satisfies z.ZodType<LogEvent>

const sender = {
  node: z.string().min(1).max(200),
  incarnation: z.int().nonnegative(),
}

const wireFrame = z.discriminatedUnion('kind', [
  z.object({
    ...sender,
    kind: z.literal('events'),
    seq: z.int().positive(),
    events: z.array(logEvent).min(1),
    traceparent: z.string().max(MAX_TRACEPARENT).optional().catch(undefined),
  }),
  z.object({ ...sender, kind: z.literal('live'), seq: z.int().nonnegative(), payload: z.unknown() }),
  z.object({ ...sender, kind: z.enum(['heartbeat', 'farewell']), seq: z.int().nonnegative() }),
])

const anyFormat = z.object({ v: z.int() })

/**
 * Writes a batch as as few frames as the size allows.
 * @param seq number of the sender's last frame before these
 * @param traceparent goes into each
 * @returns one entry for each number used; undefined where an event is too large to send: receivers notice the gap
 */
export function encodeEvents(
  from: Sender,
  seq: number,
  events: readonly LogEvent[],
  traceparent?: string,
): readonly (string | undefined)[] {
  const frames: (string | undefined)[] = []
  let texts: string[] = []
  let bytes = 0
  const trace = traceparent === undefined ? '' : `,"traceparent":${JSON.stringify(traceparent)}`
  const close = () => {
    if (texts.length > 0)
      frames.push(`${head(from, 'events', seq + frames.length + 1)}${trace},"events":[${texts.join(',')}]}`)
    texts = []
    bytes = 0
  }
  for (const event of events) {
    const text = JSON.stringify(event)
    const size = Buffer.byteLength(text) + 1
    if (bytes + size > FRAME_BYTES) close()
    if (size > FRAME_BYTES) {
      frames.push(undefined)
      continue
    }
    texts.push(text)
    bytes += size
  }
  close()
  return frames
}

export function encodeSign(from: Sender, kind: 'heartbeat' | 'farewell', seq: number): string {
  return `${head(from, kind, seq)}}`
}

/** @param json what its readers parse, bounded by its writer */
export function encodeLive(from: Sender, seq: number, json: string): string {
  return `${head(from, 'live', seq)},"payload":${json}}`
}

/** Never throws: what cannot be used is named instead. */
export function decodeFrame(payload: Buffer): WireFrame | 'oversize' | 'malformed' | 'foreignVersion' {
  if (payload.byteLength > MAX_FRAME_BYTES) return 'oversize'
  let value: unknown
  try {
    value = JSON.parse(payload.toString('utf8'))
  } catch {
    return 'malformed'
  }
  const format = anyFormat.safeParse(value)
  if (!format.success) return 'malformed'
  if (format.data.v !== FORMAT) return 'foreignVersion'
  return wireFrame.safeParse(value).data ?? 'malformed'
}

function head(from: Sender, kind: WireFrame['kind'], seq: number): string {
  const fields = { v: FORMAT, kind, node: from.node, incarnation: from.incarnation, seq }
  return JSON.stringify(fields).slice(0, -1)
}
