/** What requests may hold, parsed at the edge. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { MAX_INT4 } from '../core/ids.ts'
import type { OutgoingEvent } from '../machines/define.ts'

/** A whole number as the text of a query or header; the API document calls it an integer. */
export const wholeText = z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/, 'not a whole number')
const whole = wholeText.transform(Number).refine(Number.isSafeInteger, 'too large')
const limit = whole
  .refine(value => value >= 1 && value <= 1_000, 'from 1 to 1000')
  .optional()
  .describe('Size of the page, 1 to 1000; default 100.')
const time = z.iso.datetime({ offset: true })
const type = z.string().max(41)
const after = whole.optional()

/** Of what has a row, in a path. */
export const rowPath = z.object({
  id: whole.refine(value => value >= 1 && value <= MAX_INT4, `from 1 to ${MAX_INT4}`),
})
export const actorPath = z.object({ type, id: z.string().max(16) })
export const typePath = z.object({ type })
export const stateQuery = z.strictObject({
  version: whole.optional().describe('The state after this version.'),
  at: time.optional().describe('The state as it was at this time.'),
})
export const stateHeaders = z.object({
  'if-none-match': z.string().max(1_000).optional().describe('An ETag: answered with 304 while it is the newest.'),
})
export const snapshotHeaders = stateHeaders.extend({
  accept: z.string().max(1_000).optional().describe('`application/octet-stream` for the compressed form.'),
})
export const deltaQuery = z.strictObject({
  since: whole.optional().describe('The version that is there already. Default 0: none.'),
})
export const eventsQuery = z.strictObject({
  from: whole.optional().describe('First version; `next` of the page before. Default 1.'),
  to: whole.optional().describe('Last version.'),
  limit,
})
export const sealsQuery = z.strictObject({
  after: after.describe('Number of the last seal of the page before.'),
  limit,
})
export const listQuery = z.strictObject({ type, after: after.describe('`next` of the page before.'), limit })
export const auditQuery = z.strictObject({
  user: whole.optional().describe('Events caused by this user.'),
  actor: z.string().max(60).optional().describe('Events of this actor: `stream/123`.'),
  actorType: type.optional(),
  type: z.string().max(81).optional().describe('Events of this type.'),
  since: time.optional().describe('From this time on.'),
  until: time.optional().describe('Before this time.'),
  after: after.describe('`next` of the page before.'),
  limit,
})

const ifMatch = z
  .string()
  .regex(/^"[0-9]{1,10}"$/, 'not a version in quotes, as the ETag gives it')
  .transform(value => Number(value.slice(1, -1)))
const userHeader = whole.optional().describe('The user on whose behalf it is sent, for the audit.')
// The standard says to go on without a malformed one.
const traceHeader = z.string().max(500).optional().catch(undefined).describe('W3C trace context of the caller.')
const correlationHeader = z.string().max(200).optional().describe('Goes into the event.')

export const commandHeaders = z.object({
  'idempotency-key': z
    .string()
    .max(200)
    .optional()
    .describe('The command id, spent once in the whole log: a retry under the same one gets the first outcome.'),
  'x-user-id': userHeader,
  'x-correlation-id': correlationHeader,
  traceparent: traceHeader,
  'if-match': ifMatch.optional().describe('The version the actor must have, as an ETag.'),
})

/** The most commands a batch holds. */
export const MAX_BATCH = 1_000

export const batchHeaders = z.object({
  'idempotency-key': z
    .string()
    // Room for the place in the batch, which is added.
    .max(190)
    .optional()
    .describe('Items without a `commandId` get this, a slash and their place in the batch: `key/0`, `key/1`, …'),
  'x-user-id': userHeader,
  'x-correlation-id': correlationHeader,
  traceparent: traceHeader,
})

/** @param event what an event may be: the envelope for the check at the edge, all events for the API document */
export function batchBody(event: z.ZodType) {
  return z.strictObject({
    commands: z
      .array(
        z.strictObject({
          actor: z
            .string()
            .max(60)
            .describe('`stream/123`, or the type alone to create an actor: the event is its first then.'),
          event,
          commandId: z.string().max(200).optional().describe('Spent once in the whole log.'),
          expectedVersion: z.int().min(0).optional(),
          userId: z.int().min(1).optional(),
          correlation: z.string().max(200).optional(),
        }),
      )
      .min(1)
      .max(MAX_BATCH),
  })
}

export const streamQuery = z.strictObject({
  topic: z.string().max(200).optional().describe('`stream.started`, `stream.*` or `*` (default): types of events.'),
  from: whole.optional().describe('Starts at this position, or the next one there is.'),
  after: whole.optional().describe('Starts after this position. Without one: what is committed from now on.'),
})
export const streamHeaders = z.object({
  'last-event-id': whole
    .optional()
    .describe('Position of the last event that was received; goes before `from` and `after`.'),
})

const figures = z.record(z.string().max(60), z.union([z.int().min(0), z.string().max(1_000)]))

export const liveBody = z
  .strictObject({
    set: figures.optional().describe('By field: of this node for a sum over nodes, of all for any other.'),
    add: z
      .record(z.string().max(60), z.int())
      .optional()
      .describe('By field: added to what this node has told; counters can only be added to.'),
  })
  .refine(({ set, add }) => set !== undefined || add !== undefined, 'names no figure')
export const liveQuery = z.strictObject({
  topic: z.string().max(200).optional().describe('`stream.viewers`, `stream.*` or `*` (default): `type.field`.'),
})

/** The envelope of an event. Its data is parsed by the actors, against the schema of its type. */
export const eventEnvelope = z.looseObject({ type: z.string().max(81) })

export function asEvent(parsed: z.output<typeof eventEnvelope>): OutgoingEvent {
  return parsed as OutgoingEvent
}

const MAX_REASON = 200

/** The parsed value, or an AppError `invalid_input` that names each part that is wrong, and none of the values. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | AppError {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const reasons = parsed.error.issues
    .slice(0, 5)
    .map(issue => `${issue.path.join('.') || 'request'}: ${issue.message}`.slice(0, MAX_REASON))
  return new AppError('invalid_input', `${reasons.join('; ')}. Nothing was changed.`)
}

/** What a user calls a device or a key. */
export const label = z
  .string()
  .min(1)
  .max(100)
  .regex(/^\P{Cc}+$/u, 'has control characters')
