/** What never leaves the node, though the log needs it: password hashes, token hashes, stream keys, secrets of factors. */
import type { Json, JsonObject } from './json.ts'

const SECRET = new Set([
  ...['passwordHash', 'password_hash', 'tokenHash', 'token_hash', 'session_token', 'streamKey', 'stream_key'],
  ...['familyHash', 'rememberHash', 'replacesHash', 'secret', 'secretHash', 'codeHash', 'shownHash'],
  ...['backup_codes', 'backupCodes', 'addressHash'],
])
export const MASK = '***'

/** The same value with the contents of secret fields replaced, at any depth. */
export function mask(value: JsonObject): JsonObject {
  return maskValue(value) as JsonObject
}

export function isSecretKey(key: string): boolean {
  return SECRET.has(key)
}

function maskValue(value: Json): Json {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(maskValue)
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, SECRET.has(key) ? hidden(child) : maskValue(child)]),
  )
}

/** What is empty stays, and lists keep their length: what is folded of masked events is then the masked state. */
function hidden(value: Json): Json {
  if (Array.isArray(value)) return value.map(() => MASK)
  return value === null || value === '' ? value : MASK
}
