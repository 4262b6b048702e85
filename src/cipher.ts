/** Texts under a key: AES-256-GCM, bound to the place where they stand. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

export function newKey(): Buffer {
  return randomBytes(KEY_BYTES)
}

/** As an object that shows nothing of itself where it is printed. */
export function asKey(bytes: Buffer): KeyObject {
  if (bytes.length !== KEY_BYTES) throw new Error('no key of this cipher')
  return createSecretKey(bytes)
}

/**
 * The nonce, what is sealed and its tag, in base64url.
 * @param place what it belongs to: it opens nowhere else
 */
export function seal(key: KeyObject, text: string, place: string): string {
  const nonce = nextNonce()
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(place))
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

// A nonce is used once under a key: random ones may be, for far more texts than a key here seals. Drawn a few hundred at a time,
// for a draw costs as much as the sealing.
let nonces = Buffer.alloc(0)

function nextNonce(): Buffer {
  if (nonces.length < NONCE_BYTES) nonces = randomBytes(NONCE_BYTES * 256)
  const nonce = nonces.subarray(0, NONCE_BYTES)
  nonces = nonces.subarray(NONCE_BYTES)
  return nonce
}

/** Undefined where it was changed, belongs elsewhere, or was sealed under another key. */
export function open(key: KeyObject, sealed: string, place: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(place))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return undefined
  }
}
