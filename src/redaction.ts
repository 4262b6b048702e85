/** Takes secrets out of what is about to be written down. */

const HIDDEN = '***'
const MAX_TEXT = 8_192
const MAX_DEPTH = 8
const MAX_ITEMS = 100

// Matched against the key in lower case without separators, so that session_token and newPassword are found too.
const SECRET_KEY =
  /(?:password|passwordhash|passwd|token|tokenhash|secret|streamkey|authorization|cookie|apikey|privatekey)$/
// Greedy up to the last @ of the word: a password with an unencoded @ or / must not show its tail. Bounded, so that no text makes it slow.
const URL_PASSWORD = /:\/\/([^\s:@/?#]{0,256}):\S{1,1024}@/g
const QUERY_SECRET = /([?&](?:ssl)?(?:password|token|secret)=)[^\s&#]{1,1024}/gi
// Of sessions, devices and mails: the id says enough.
const TOKEN = /\b(rs[srdt]_\d{1,16})_[\w-]{16,}/g
const BEARER = /\b(bearer|basic) +[\w.~+/=-]{4,2048}/gi

/** Hides the password of a URL (and secrets in its query); also of one that cannot be parsed. */
export function redactUrl(url: string): string {
  return redactText(url)
}

/** Hides passwords of URLs and authorization values wherever they stand in a text, and cuts the text at 8 KiB. */
export function redactText(text: string): string {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  return cut
    .replace(URL_PASSWORD, `://$1:${HIDDEN}@`)
    .replace(QUERY_SECRET, `$1${HIDDEN}`)
    .replace(BEARER, `$1 ${HIDDEN}`)
    .replace(TOKEN, `$1_${HIDDEN}`)
}

/** A copy of log fields without secrets, as plain JSON values, bounded in depth and width. */
export function redactFields(fields: object): Record<string, unknown> {
  return fields instanceof Error ? { err: redactError(fields, 0) } : redactObject(fields, 0)
}

function redactObject(object: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  let left = MAX_ITEMS
  for (const [key, value] of Object.entries(object)) {
    if (left-- === 0) {
      copy['…'] = 'more left out'
      break
    }
    copy[key] = isSecret(key, value) ? HIDDEN : redactValue(value, depth + 1)
  }
  return copy
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Error) return redactError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (depth >= MAX_DEPTH) return '…'
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map(item => redactValue(item, depth + 1))
  if (value instanceof Map || value instanceof Set) return redactValue([...value], depth)
  return redactObject(value, depth)
}

// Only named parts: drivers hang query parameters and row values ("Key (email)=(…) already exists") on their errors.
function redactError(error: Error, depth: number): Record<string, unknown> {
  const { code, details, cause } = error as { code?: unknown; details?: unknown; cause?: unknown }
  return {
    type: error.name,
    message: redactText(error.message),
    ...(typeof code === 'string' && { code }),
    ...(details !== undefined && { details: redactValue(details, depth + 1) }),
    ...(error.stack !== undefined && { stack: redactText(error.stack) }),
    ...(cause !== undefined && depth < MAX_DEPTH && { cause: redactValue(cause, depth + 1) }),
  }
}

// Fencing tokens are numbers and no secret.
function isSecret(key: string, value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return false
  const plain = key.toLowerCase().replaceAll(/[_-]/g, '')
  return SECRET_KEY.test(plain) && !(typeof value === 'number' && plain.endsWith('token'))
}
