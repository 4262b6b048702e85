/**
 * Tokens of trusted devices: a constant half, by which a device is known, and a half that is another after each use.
 * Who shows the first with a second that is over had a token once: that tells theft from guessing.
 */
import { hash, randomBytes } from 'node:crypto'
import { parseToken } from './token.ts'

export interface IssuedDeviceToken {
  /** `rsd_<id>_<32 bytes, base64url>`, told to the device alone. */
  readonly token: string
  readonly hash: string
  readonly familyHash: string
}

export interface ShownDeviceToken {
  readonly id: number
  readonly hash: string
  readonly familyHash: string
  /** The next token of the same device. */
  next(): IssuedDeviceToken
}

const HALF_BYTES = 16
/** Of 32 bytes in base64url. */
const SECRET_CHARACTERS = 43

export function issueDeviceToken(id: number): IssuedDeviceToken {
  return issue(id, randomBytes(HALF_BYTES))
}

/** What a text of that form names, or undefined for any other text. It says nothing of whether the token is right. */
export function parseDeviceToken(text: string): ShownDeviceToken | undefined {
  const shown = parseToken('device', text)
  if (shown === undefined) return undefined
  const family = Buffer.from(text.slice(-SECRET_CHARACTERS), 'base64url').subarray(0, HALF_BYTES)
  return { ...shown, familyHash: hashOf(family), next: () => issue(shown.id, family) }
}

function issue(id: number, family: Buffer): IssuedDeviceToken {
  const secret = Buffer.concat([family, randomBytes(HALF_BYTES)])
  const token = `rsd_${id}_${secret.toString('base64url')}`
  return { token, hash: parseToken('device', token)?.hash ?? '', familyHash: hashOf(family) }
}

function hashOf(family: Buffer): string {
  return hash('sha256', family, 'base64url')
}
