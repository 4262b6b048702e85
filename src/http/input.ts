/** What requests may hold, parsed at the edge. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import type { OutgoingEvent } from '../machines/define.ts'

const whole = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,15})$/, 'not a whole number')
  .transform(Number)
  .refine(Number.isSafeInteger, 'too large')
const limit = whole.refine(value => value >= 1 && value <= 1_000, 'from 1 to 1000').optional()
const time = z.iso.datetime({ offset: true })

export const actorPath = z.object({ type: z.string().max(41), id: z.string().max(16) })
export const typePath = z.object({ type: z.string().max(41) })
export const stateQuery = z.strictObject({ version: whole.optional(), at: time.optional() })
export const eventsQuery = z.strictObject({ from: whole.optional(), to: whole.optional(), limit })
export const listQuery = z.strictObject({ type: z.string().max(41), after: whole.optional(), limit })
export const auditQuery = z.strictObject({
  user: whole.optional(),
  actor: z.string().max(60).optional(),
  actorType: z.string().max(41).optional(),
  type: z.string().max(81).optional(),
  since: time.optional(),
  until: time.optional(),
  after: whole.optional(),
  limit,
})
export const sealsQuery = z.strictObject({ after: whole.optional(), limit })
export const commandHeaders = z.object({
  'idempotency-key': z.string().max(200).optional(),
  'x-user-id': whole.optional(),
  'x-correlation-id': z.string().max(200).optional(),
  // The standard says to go on without a malformed one.
  traceparent: z.string().max(500).optional().catch(undefined),
  'if-match': z
    .string()
    .regex(/^"[0-9]{1,10}"$/, 'not a version in quotes, as the ETag gives it')
    .transform(value => Number(value.slice(1, -1)))
    .optional(),
})

const event = z.looseObject({ type: z.string().max(81) })

/** Throws AppError `invalid_input` that names each part that is wrong, and none of the values. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const reasons = parsed.error.issues.slice(0, 5).map(issue => `${issue.path.join('.') || 'request'}: ${issue.message}`)
  throw new AppError('invalid_input', `${reasons.join('; ')}. Nothing was changed.`)
}

export function parseEvent(body: unknown): OutgoingEvent {
  return parse(event, body) as OutgoingEvent
}
