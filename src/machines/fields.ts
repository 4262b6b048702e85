/** Building blocks of event schemas: what fits into a column, and nothing else. */
import { z } from 'zod'
import { MAX_INT4 } from '../core/ids.ts'

/** Text of at most `max` characters, counted as Postgres counts them (and JSON Schema, which is told of it). */
export function text(max: number): z.ZodString {
  return z
    .string()
    .refine(value => value.length <= max || [...value].length <= max, `longer than ${max} characters`)
    .meta({ maxLength: max })
}

/** Text that is not empty. */
export function name(max: number): z.ZodString {
  return text(max).min(1)
}

/** Id of another actor, as a 32-bit column holds it. */
export const reference = z.int().min(1).max(MAX_INT4)

/** A count or size in a 32-bit column. */
export const count = z.int().min(0).max(MAX_INT4)

/** Bytes, in a 64-bit column, as far as a number is exact. */
export const bytes = z.int().min(0)

const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** ISO 8601 with a zone. Postgres has no year 0, and years of five digits are not written as it reads them. */
export const timestamp = z.iso
  .datetime({ offset: true })
  .refine(value => Date.parse(value) >= FIRST_MS && Date.parse(value) <= LAST_MS, 'not in the years 1 to 9999')

/** An address without zone or prefix length. */
export const ipAddress = z.union([z.ipv4(), z.ipv6()])

/** Columns of a 24.2 row as they were found: nothing is checked twice that the table's own constraints hold. */
export const was = {
  text: z.string(),
  int: z.int(),
  bool: z.boolean(),
  /** ISO 8601 in UTC with the microseconds of the row, or `infinity`. */
  time: z.string().max(40),
}

const LONGEST_WAIT_MS = 100 * 365 * 86_400_000

/** Milliseconds from `at` to `until`, at least 0 and at most a hundred years; a row of 24.2 may say `infinity` or `-infinity`. */
export function msUntil(until: string | null, at: string): number {
  if (until?.startsWith('-') === true) return 0
  const ms = Date.parse(until ?? '') - Date.parse(at)
  return Number.isNaN(ms) ? LONGEST_WAIT_MS : Math.min(Math.max(0, ms), LONGEST_WAIT_MS)
}

/** Whole seconds between two times, as a 32-bit column holds them; 0 where one is unknown. */
export function secondsBetween(start: string | null, end: string): number {
  return asCount((Date.parse(end) - Date.parse(start ?? end)) / 1_000)
}

/** The nearest number that a 32-bit column takes as a count: what is summed up here must not stop a projection. */
export function asCount(value: number): number {
  return Math.min(Math.max(0, Math.floor(value)), MAX_INT4) || 0
}
