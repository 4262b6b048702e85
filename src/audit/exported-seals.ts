/** Seals as JSON lines, to be kept where whoever can write the database cannot. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import type { SealSummary } from '../core/seal.ts'
import { sealHash } from './digest.ts'

const MAX_LINE = 2_000
const position = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const sealLine = z.strictObject({
  number: position,
  first: position,
  last: position,
  events: position,
  eventsHash: sha256,
  marksHash: sha256,
  previous: sha256,
  sealedAt: z.iso.datetime(),
  hash: sha256,
})

/**
 * Reads exported lines; the same seal may be there more than once.
 * Throws AppError `invalid_input` (a line that is no seal, or was damaged), `audit_broken` (two seals of one number).
 */
export async function readExportedSeals(lines: AsyncIterable<string>): Promise<ReadonlyMap<number, SealSummary>> {
  const seals = new Map<number, SealSummary>()
  let line = 0
  for await (const text of lines) {
    line++
    if (text.trim() === '') continue
    const seal = parseSeal(text)
    if (seal === undefined)
      throw new AppError(
        'invalid_input',
        `Line ${line} is no exported seal, or was damaged. Nothing was verified. Use the file as it was exported.`,
      )
    const known = seals.get(seal.number)
    if (known !== undefined && known.hash !== seal.hash)
      throw new AppError(
        'audit_broken',
        `Line ${line} holds another seal ${seal.number} than a line before it: the seals in the database were rewritten between two exports. Verify against the older lines alone to see where.`,
        { details: { seal: seal.number, first: known.first, last: known.last } },
      )
    seals.set(seal.number, seal)
  }
  if (seals.size === 0) throw new AppError('invalid_input', 'The file holds no exported seal. Nothing was verified.')
  return seals
}

function parseSeal(text: string): SealSummary | undefined {
  if (text.length > MAX_LINE) return undefined
  try {
    const seal = sealLine.safeParse(JSON.parse(text))
    return seal.success && sealHash(seal.data) === seal.data.hash ? seal.data : undefined
  } catch {
    return undefined
  }
}
