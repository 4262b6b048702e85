/** Tokens: what is in them, which texts are none, and how their hashes are compared. */
import { describe, expect, test } from 'vitest'
import { issueRemember, issueToken, parseRemember, parseToken, sameHash, type TokenKind } from '../../src/auth/token.ts'

const KINDS: readonly TokenKind[] = ['session', 'device', 'ticket']
const secretOf = (token: string) => token.replace(/^rs[srdt]_\d+_/, '')

test('256 random bits in each, and a hash of which none of them is left (ASVS 7.2.3)', () => {
  const ones = new Map<number, number>()
  const seen = new Set<string>()
  for (let n = 0; n < 2_000; n++) {
    const { token, hash } = issueToken('session', 7)
    const bytes = Buffer.from(secretOf(token), 'base64url')
    expect(bytes).toHaveLength(32)
    seen.add(token)
    for (let bit = 0; bit < 256; bit++)
      if (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) ones.set(bit, (ones.get(bit) ?? 0) + 1)
    expect(hash).not.toContain(secretOf(token).slice(0, 8))
  }
  expect(seen.size).toBe(2_000)
  // Each bit is as often one as not: eight standard deviations off is no accident.
  for (let bit = 0; bit < 256; bit++) expect(Math.abs((ones.get(bit) ?? 0) - 1_000)).toBeLessThan(180)
})

test('a token is read back as it was issued, under the id and kind it was issued for alone', () => {
  for (const kind of KINDS) {
    const { token, hash } = issueToken(kind, 12)
    expect(parseToken(kind, token)).toEqual({ id: 12, hash })
    for (const other of KINDS) if (other !== kind) expect(parseToken(other, token)).toBeUndefined()
    expect(parseRemember(token)).toBeUndefined()
    expect(parseToken(kind, token.replace('_12_', '_13_'))?.hash).not.toBe(hash)
  }
  const remember = issueRemember(12)
  const { family: _, ...read } = { family: '', ...parseRemember(remember.token) }
  expect(read).toEqual({ id: 12, hash: remember.hash, familyHash: remember.familyHash })
  for (const kind of KINDS) expect(parseToken(kind, remember.token)).toBeUndefined()
})

test('no two texts are one token: what a decoder would pass over is refused', () => {
  const { token } = issueToken('session', 12)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const bytes = Buffer.from(secretOf(token), 'base64url')
  const siblings = [...alphabet]
    .map(last => token.slice(0, -1) + last)
    .filter(text => text !== token && Buffer.from(secretOf(text), 'base64url').equals(bytes))
  expect(siblings).toHaveLength(3)
  const spellings = [
    `${token}=`,
    `${token}\n`,
    ` ${token}`,
    token.replace('_12_', '_012_'),
    token.replace('_12_', '_1_2_'),
  ]
  for (const text of [...siblings, ...spellings, token.toUpperCase(), token.replace('_12_', '_9007199254740993_')])
    expect(parseToken('session', text), text).toBeUndefined()
})

describe('hashes', () => {
  const { hash } = issueToken('session', 1)
  test.each([
    ['the same', hash, true],
    ['another', issueToken('session', 1).hash, false],
    ['a part of it', hash.slice(0, -1), false],
    ['more than it', `${hash}A`, false],
    ['nothing', '', false],
    ['as many characters in more bytes', 'é'.repeat(hash.length), false],
  ])('are compared without a throw, whatever their length: %s', (_, other, same) => {
    expect(sameHash(hash, other)).toBe(same)
    expect(sameHash(other, hash)).toBe(same)
  })
})
