/** JSON values as the log stores them, and the check that keeps poison out of a batch. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** Of what JSON.parse returned, or another Json: an object, and neither an array nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Bytes of UTF-8 an event's data may take, and how deep it may nest. Larger things belong in files, with their path in the event. */
export const MAX_EVENT_BYTES = 64 * 1024
export const MAX_DEPTH = 32
/**
 * Bytes that the data may take in the log: what was contested stands there beside what was given, each as large as a
 * command may be, and sealed they are larger by a third.
 */
export const MAX_LOGGED_BYTES = 8 * MAX_EVENT_BYTES

// In serialised JSON a NUL is always written \u0000 and a lone surrogate \udxxx. The text can also hold such letters
// after an escaped backslash, so a hit is only a suspicion.
const SUSPICIOUS = /\\u(?:0000|d[89a-f])/i

/**
 * Says why Postgres could not store this value as jsonb, or undefined where it can.
 * @param value a parsed value
 * @param text the same value from JSON.stringify, which the caller needs anyway
 * @param most bytes that it may take
 */
export function poison(value: Json, text: string, most: number = MAX_EVENT_BYTES): string | undefined {
  if (text.length > most || (text.length * 3 > most && Buffer.byteLength(text) > most))
    return `larger than ${most} bytes`
  if (SUSPICIOUS.test(text)) return findPoisonText(value)
  return undefined
}

/** Says whether a text can be stored by Postgres and comes back as the same text. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Depth of a parsed value, counted up to one past the limit, so that a hostile value costs no more than that. */
export function isTooDeep(value: unknown, limit: number = MAX_DEPTH): boolean {
  if (value === null || typeof value !== 'object') return false
  if (limit === 0) return true
  return Object.values(value).some(child => isTooDeep(child, limit - 1))
}

function findPoisonText(value: Json): string | undefined {
  if (typeof value === 'string') return isStorableText(value) ? undefined : 'a string holds a NUL or a lone surrogate'
  if (value === null || typeof value !== 'object') return undefined
  for (const [key, child] of Object.entries(value)) {
    if (!isStorableText(key)) return 'a key holds a NUL or a lone surrogate'
    const found = findPoisonText(child)
    if (found !== undefined) return found
  }
  return undefined
}
