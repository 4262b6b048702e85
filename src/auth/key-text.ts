/** Key rings as text: one `id:key` a line or between commas, the key that seals first, `#` before remarks. */
import { randomBytes } from 'node:crypto'
import { AppError } from '../core/errors.ts'

export interface RingKey {
  /** Stands in each sealed text: 1 to 32 letters, digits, dashes. */
  readonly id: string
  /** 32 bytes. */
  readonly key: Buffer
}

export const KEY_BYTES = 32
const MAX_KEYS = 50
// 43 base64url characters are 32 bytes, and the last of them has two bits to spare: one spelling alone is taken.
const ENTRY = /^([A-Za-z0-9-]{1,32}):([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

/** Throws AppError `setup_failed` that quotes nothing of the text. @param where for the error, as `ROOTSTREAM_KEYS` */
export function parseKeys(text: string, where: string): readonly RingKey[] {
  const entries = text
    .split('\n')
    .flatMap(line => line.replace(/#.*/, '').split(','))
    .map(entry => entry.trim())
    .filter(line => line !== '')
  const keys = entries.map((entry, index): RingKey => {
    const [, id, key] = ENTRY.exec(entry) ?? []
    if (id === undefined || key === undefined)
      throw unusable(where, `entry ${index + 1} is not of the form id:key, the key 43 characters of base64url`)
    return { id, key: Buffer.from(key, 'base64url') }
  })
  if (keys.length === 0) throw unusable(where, 'it holds no key')
  if (keys.length > MAX_KEYS) throw unusable(where, `it holds more than ${MAX_KEYS} keys`)
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw unusable(where, 'two keys have one id')
  if (new Set(keys.map(({ key }) => key.toString('hex'))).size < keys.length)
    throw unusable(where, 'one key is there under two ids')
  return keys
}

export function formatKeys(keys: readonly RingKey[]): string {
  const lines = keys.map(formatKey)
  return `# The first key seals, all of them open. Keep a copy apart from the database: without it the secrets are lost.\n${lines.join('\n')}\n`
}

export function formatKey({ id, key }: RingKey): string {
  return `${id}:${key.toString('base64url')}`
}

/** @param now milliseconds since the epoch: its day is in the id, for people */
export function newKey(now: number): RingKey {
  const day = new Date(now).toISOString().slice(0, 10)
  return { id: `${day}-${randomBytes(3).toString('hex')}`, key: randomBytes(KEY_BYTES) }
}

export function unusable(where: string, why: string): AppError {
  return new AppError(
    'setup_failed',
    `The key ring in ${where} is not usable: ${why}. Nothing was changed. \`rootstream keys generate\` prints a key.`,
  )
}
