/** Secrets at rest: sealed under a ring of keys, of which the first seals and all open. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { AppError } from '../core/errors.ts'

export interface RingKey {
  /** Stands in each sealed text: 1 to 32 letters, digits, dashes. */
  readonly id: string
  /** 32 bytes. */
  readonly key: Buffer
}

export interface KeyRing {
  /** @param context what it belongs to, as `factor/12/secret`: it opens nowhere else */
  seal(text: string, context: string): string
  /** Throws AppError `corrupt_data` where it was changed, belongs elsewhere or its key is not in the ring. */
  open(sealed: string, context: string): string
  /** Whether it was sealed under another key than the first. */
  isStale(sealed: string): boolean
  /** A keyed hash of what is too short to be hashed plainly: addresses, codes of six digits. */
  fingerprint(text: string, context: string): string
}

const ALGORITHM = 'aes-256-gcm'
const FORM = /^v1\.([A-Za-z0-9-]{1,32})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/
const TAG_BYTES = 16

/** @param keys the newest first; at least one */
export function createKeyRing(keys: readonly RingKey[]): KeyRing {
  const [newest] = keys
  if (newest === undefined) throw new Error('a key ring without a key')
  const byId = new Map(keys.map(key => [key.id, derive(key)]))
  // Fingerprints are compared over years, so they outlive the rotation of what seals.
  const oldest = derive(keys.at(-1) ?? newest)
  return {
    seal: (text, context) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv(ALGORITHM, derived(byId, newest.id).sealing, iv, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `v1.${newest.id}.${iv.toString('base64url')}.${body.toString('base64url')}`
    },
    open: (sealed, context) => {
      const [, id = '', iv = '', body = ''] = FORM.exec(sealed) ?? []
      const bytes = Buffer.from(body, 'base64url')
      const decipher = createDecipheriv(ALGORITHM, derived(byId, id).sealing, Buffer.from(iv, 'base64url'), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      try {
        return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      } catch (error) {
        throw new AppError(
          'corrupt_data',
          `A sealed secret under the key '${id}' was changed or belongs elsewhere. Nothing was changed. Inspect the log, or remove the factor and enrol it again.`,
          { cause: error },
        )
      }
    },
    isStale: sealed => FORM.exec(sealed)?.[1] !== newest.id,
    fingerprint: (text, context) =>
      createHmac('sha256', oldest.naming).update(`${context}\0${text}`).digest('base64url'),
  }
}

interface Derived {
  readonly sealing: Buffer
  readonly naming: Buffer
}

/** One key for each use. */
function derive({ key }: RingKey): Derived {
  const of = (use: string) => Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `rootstream ${use}`, 32))
  return { sealing: of('sealing'), naming: of('naming') }
}

function derived(keys: ReadonlyMap<string, Derived>, id: string): Derived {
  const key = keys.get(id)
  if (key === undefined)
    throw new AppError(
      'corrupt_data',
      `A sealed secret needs the key '${id}', which is not in the key ring. Nothing was changed. Add the key to the ring and try again.`,
    )
  return key
}
