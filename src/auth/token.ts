/**
 * Tokens: 256 random bits behind the id of the actor they belong to, so that one is found without an index of secrets.
 * The log and the tables hold their hashes alone, of the token as it was received.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

const PREFIX = { session: 'rss', device: 'rsd', ticket: 'rst' } as const
export type TokenKind = keyof typeof PREFIX

// 32 bytes are 42 characters and one of which the last two bits are zero: decoders pass over junk there, and one token had several spellings.
const FORM = /^(rss|rsd|rst)_([1-9][0-9]{0,15})_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/
const REMEMBER_FORM =
  /^rsr_([1-9][0-9]{0,15})_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

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
  return tokenOf(kind, id, secret())
}

/** @param text 43 characters of base64url that stand for 32 bytes nobody can guess */
export function tokenOf(kind: TokenKind, id: number, text: string): IssuedToken {
  const token = `${PREFIX[kind]}_${id}_${text}`
  return { token, hash: hashToken(token) }
}

/** A remember-me token: a secret all tokens of the session share, so that an old one is told from a made-up one, and one that changes. */
export interface IssuedRemember extends IssuedToken {
  readonly familyHash: string
}

export interface ShownRemember extends ShownToken {
  readonly family: string
  readonly familyHash: string
}

export function issueRemember(id: number): IssuedRemember {
  return rememberOf(id, secret(), secret())
}

/** Both texts as of `tokenOf`. */
export function rememberOf(id: number, family: string, text: string): IssuedRemember {
  const token = `rsr_${id}_${family}_${text}`
  return { token, hash: hashToken(token), familyHash: hashToken(family) }
}

export function parseRemember(text: string): ShownRemember | undefined {
  const [, id, family = ''] = REMEMBER_FORM.exec(text) ?? []
  if (!Number.isSafeInteger(Number(id))) return undefined
  return { id: Number(id), family, hash: hashToken(text), familyHash: hashToken(family) }
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

function secret(): string {
  return randomBytes(32).toString('base64url')
}

function hashToken(token: string): string {
  return hash('sha256', token, 'base64url')
}
