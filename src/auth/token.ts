/**
 * Tokens: 256 random bits behind the id of the actor they belong to, so that one is found without an index of secrets.
 * The log and the tables hold their hashes alone, of the token as it was received.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

const PREFIX = { session: 'rss', remember: 'rsr', device: 'rsd', ticket: 'rst' } as const
export type TokenKind = keyof typeof PREFIX

// 32 bytes are 42 characters and one of which the last two bits are zero: decoders pass over junk there, and one token had several spellings.
const FORM = /^(rss|rsr|rsd|rst)_([1-9][0-9]{0,15})_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

export interface IssuedToken {
  /** Told to its owner, once. */
  readonly token: string
  readonly hash: string
}

export interface ShownToken {
  /** Id of the session, device or ticket it names. */
  readonly id: number
  readonly hash: string
}

export function issueToken(kind: TokenKind, id: number): IssuedToken {
  const token = `${PREFIX[kind]}_${id}_${randomBytes(32).toString('base64url')}`
  return { token, hash: hashToken(token) }
}

/** What a text of that form names, or undefined for any other text. It says nothing of whether the token is right. */
export function parseToken(kind: TokenKind, text: string): ShownToken | undefined {
  const [, prefix, id] = FORM.exec(text) ?? []
  if (prefix !== PREFIX[kind] || !Number.isSafeInteger(Number(id))) return undefined
  return { id: Number(id), hash: hashToken(text) }
}

/** In time that tells nothing of where they differ. */
export function sameHash(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function hashToken(token: string): string {
  return hash('sha256', token, 'base64url')
}
