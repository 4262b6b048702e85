/** The wire form of what nodes tell each other: written in pieces of bounded size, parsed as hostile input. */
import { z } from 'zod'
import type { LogEvent } from '../core/event.ts'
import type { ActorId } from '../core/ids.ts'
import { isJsonObject, isTooDeep, type JsonObject } from '../core/json.ts'
import { BODY_AT, type FrameSignature } from './frame-signature.ts'

/** A frame is closed before it grows beyond this. */
export const FRAME_BYTES = 1024 * 1024
/** What is larger is not even parsed. */
export const MAX_FRAME_BYTES = 2 * FRAME_BYTES

/** One start of a node. */
export interface Sender {
  readonly node: string
  readonly incarnation: number
}

/** How far a sender has counted. */
export interface FrameNumbers {
  /** Its frames of every kind are numbered 1, 2, 3, …: what is not above the last one heard is a repetition. */
  readonly order: number
  /** Its frames with events are numbered 1, 2, 3, … among themselves; other frames carry the last of these. */
  readonly seq: number
}

/** Of any version of the trace context format; what is longer is not one. */
const MAX_TRACEPARENT = 200

export type WireFrame = Sender &
  FrameNumbers &
  (
    | { readonly kind: 'events'; readonly events: readonly LogEvent[]; readonly traceparent?: string | undefined }
    | { readonly kind: 'live' | 'tentative'; readonly payload: unknown }
    | { readonly kind: 'heartbeat' | 'farewell' }
  )

const nullable = { user: z.int().nullable(), text: z.string().max(1_000).nullable() }

// What JSON.parse returned is JSON; only its shape is in question.
const isBounded = (value: unknown) => isJsonObject(value) && !isTooDeep(value)
const json = z.custom<JsonObject>(isBounded)

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
  data: json,
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
  origin: z
    .object({
      basis: z.int().nonnegative(),
      clock: z.string().min(1).max(300),
      node: z.string().min(1).max(200),
      incarnation: z.int().nonnegative(),
      n: z.int().positive(),
      extra: z
        .array(z.tuple([z.string().min(1).max(300), z.int().positive()]))
        .max(1_024)
        .exactOptional(),
      observed: json.exactOptional(),
      given: json.exactOptional(),
      conflict: json.exactOptional(),
    })
    .exactOptional(),
}) satisfies z.ZodType<LogEvent>

const isText = (value: unknown, least: number, most: number) =>
  typeof value === 'string' && value.length >= least && value.length <= most
const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least
const isTime = z.regexes.datetime({ offset: true })
const FIELDS = Object.keys(logEvent.shape).length - 1

/**
 * Whether it is an event as nodes write them by the hundred thousand: every field there and right, no other, no origin. The
 * schema would take it and answer the same, for ten times the time; whatever else there is goes to the schema.
 */
function isPlainEvent(value: unknown): value is LogEvent {
  if (typeof value !== 'object' || value === null) return false
  const event = value as { readonly [Field in keyof LogEvent]: unknown }
  return (
    isCount(event.position, 1) &&
    isText(event.actorType, 1, 64) &&
    isCount(event.actorId, 1) &&
    isCount(event.version, 1) &&
    isText(event.type, 1, 200) &&
    isCount(event.schemaVersion, 1) &&
    isBounded(event.data) &&
    isText(event.state, 0, 1_000) &&
    typeof event.at === 'string' &&
    isTime.test(event.at) &&
    (event.userId === null || Number.isSafeInteger(event.userId)) &&
    (event.commandId === null || isText(event.commandId, 0, 1_000)) &&
    (event.causation === null || Number.isSafeInteger(event.causation)) &&
    (event.correlation === null || isText(event.correlation, 0, 1_000)) &&
    isText(event.node, 1, 200) &&
    isCount(event.incarnation, 0) &&
    isCount(event.n, 0) &&
    (event.token === null || Number.isSafeInteger(event.token)) &&
    Object.keys(event).length === FIELDS
  )
}

const logEvents = z
  .custom<readonly unknown[]>(value => Array.isArray(value) && value.length > 0)
  .transform((values, context) => {
    const events: LogEvent[] = []
    for (const value of values) {
      const event = isPlainEvent(value) ? value : logEvent.safeParse(value).data
      if (event === undefined) {
        context.addIssue('not an event of a log')
        return z.NEVER
      }
      events.push(event)
    }
    return events
  })

const sender = {
  node: z.string().min(1).max(200),
  incarnation: z.int().nonnegative(),
  order: z.int().positive(),
}

const wireFrame = z.discriminatedUnion('kind', [
  z.object({
    ...sender,
    kind: z.literal('events'),
    seq: z.int().positive(),
    events: logEvents,
    traceparent: z.string().max(MAX_TRACEPARENT).optional().catch(undefined),
  }),
  z.object({ ...sender, kind: z.enum(['live', 'tentative']), seq: z.int().nonnegative(), payload: z.unknown() }),
  z.object({ ...sender, kind: z.enum(['heartbeat', 'farewell']), seq: z.int().nonnegative() }),
])

/**
 * Writes a batch as as few frames as the size allows.
 * @param last numbers of the sender's last frame before these
 * @param traceparent goes into each
 * @returns one entry for each pair of numbers used; undefined where an event is too large to send: receivers notice the gap
 */
export function encodeEvents(
  signature: FrameSignature,
  from: Sender,
  last: FrameNumbers,
  events: readonly LogEvent[],
  traceparent?: string,
): readonly (string | undefined)[] {
  const frames: (string | undefined)[] = []
  let texts: string[] = []
  let bytes = 0
  const trace = traceparent === undefined ? '' : `,"traceparent":${JSON.stringify(traceparent)}`
  const close = () => {
    if (texts.length > 0) {
      const used = frames.length + 1
      const head = fields(from, 'events', { order: last.order + used, seq: last.seq + used })
      frames.push(signature.sign(`${head}${trace},"events":[${texts.join(',')}]}`))
    }
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

export function encodeSign(
  signature: FrameSignature,
  from: Sender,
  kind: 'heartbeat' | 'farewell',
  numbers: FrameNumbers,
): string {
  return signature.sign(`${fields(from, kind, numbers)}}`)
}

/** @param json what its readers parse, bounded by its writer */
export function encodePayload(
  signature: FrameSignature,
  from: Sender,
  kind: 'live' | 'tentative',
  numbers: FrameNumbers,
  json: string,
): string {
  return signature.sign(`${fields(from, kind, numbers)},"payload":${json}}`)
}

/**
 * Tells one's own frames, which come back, by their first bytes: to parse them would cost as much as to hear a frame of another
 * node. One that is written otherwise is parsed.
 */
export function createOwnFrames(self: Sender): (payload: Buffer) => boolean {
  const kinds = ['events', 'live', 'tentative', 'heartbeat', 'farewell'] as const
  const starts = kinds.map(kind => {
    const text = fields(self, kind, { order: 0, seq: 0 })
    return Buffer.from(text.slice(0, text.indexOf(',"order":') + 1))
  })
  return payload => starts.some(start => start.equals(payload.subarray(BODY_AT, BODY_AT + start.length)))
}

/** Never throws: what cannot be used is named instead, and what is not signed is not parsed. */
export function decodeFrame(
  signature: FrameSignature,
  payload: Buffer,
  isOwn: (payload: Buffer) => boolean = () => false,
): WireFrame | 'own' | 'oversize' | 'malformed' | 'foreignVersion' | 'forged' {
  if (payload.byteLength > MAX_FRAME_BYTES) return 'oversize'
  const checked = signature.check(payload)
  if (checked !== 'signed') return checked
  if (isOwn(payload)) return 'own'
  let value: unknown
  try {
    value = JSON.parse(payload.toString('utf8'))
  } catch {
    return 'malformed'
  }
  return wireFrame.safeParse(value).data ?? 'malformed'
}

/** The start of a frame's JSON, after the signature. */
function fields(from: Sender, kind: WireFrame['kind'], { order, seq }: FrameNumbers): string {
  return JSON.stringify({ kind, node: from.node, incarnation: from.incarnation, order, seq }).slice(1, -1)
}
