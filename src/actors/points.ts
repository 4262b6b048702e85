/** Which points of a history may be asked for. */
import { AppError } from '../core/errors.ts'
import { MAX_INT4 } from '../core/ids.ts'
import type { StreamRange } from '../core/ports.ts'

export type Point = { readonly version: number } | { readonly at: string }

/** Throws AppError `invalid_input` on what is neither a version nor a time: it would be answered with another point. */
export function parsePoint(point: Point): Point {
  if ('version' in point) return { version: versionOf(point.version) }
  if (typeof point.at === 'string' && !Number.isNaN(Date.parse(point.at))) return point
  throw new AppError('invalid_input', 'A point in time is told as ISO 8601, like 2026-11-20T10:00:00Z.')
}

/** Throws AppError `invalid_input`. */
export function parseRange({ from, to, ...rest }: StreamRange = {}): StreamRange {
  return {
    ...rest,
    ...(from === undefined ? {} : { from: versionOf(from) }),
    ...(to === undefined ? {} : { to: versionOf(to) }),
  }
}

/** No actor has more versions than the log can number. */
function versionOf(version: number): number {
  if (Number.isSafeInteger(version) && version >= 0) return Math.min(version, MAX_INT4)
  throw new AppError('invalid_input', 'A version is a whole number, from 0 on.')
}
