/** The forms that values of options have. */
import { InvalidArgumentError } from 'commander'

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('It is a whole number.')
}

const MOST_ROWS = 1_000

/** How many rows a page has. */
export function pageSize(text: string): number {
  const value = Number(text)
  if (/^\d{1,4}$/.test(text) && value >= 1 && value <= MOST_ROWS) return value
  throw new InvalidArgumentError(`It is a number from 1 to ${MOST_ROWS}.`)
}

export function isoTime(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text).toISOString()
  throw new InvalidArgumentError('It is a time like 2026-11-20T10:00:00Z.')
}
