/** Codes of authenticator apps: the vectors of RFC 6238, and what is no code. */
import { generateSync } from 'otplib'
import { expect, test } from 'vitest'
import { isTotpForm, matchTotp, newTotpSecret } from '../../src/auth/totp.ts'

/** RFC 6238, appendix B: seconds and the code of eight digits under HMAC-SHA-1. */
const VECTORS = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
] as const
/** `12345678901234567890` in Base32. */
const RFC_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'

test.each(VECTORS)('RFC 6238 at %d', (seconds, digits8) => {
  expect(generateSync({ secret: RFC_SECRET, epoch: seconds, digits: 8 })).toBe(digits8)
  // The same number modulo 10^6.
  expect(matchTotp(RFC_SECRET, digits8.slice(2), seconds * 1_000, -1)).toBe(Math.floor(seconds / 30))
})

const secret = newTotpSecret()
const now = 1_800_000_000_000
const step = Math.floor(now / 30_000)
const code = (beside: number) => generateSync({ secret, epoch: now / 1_000 + beside * 30 })

test('a step counts only after the last one that was used', () => {
  for (const beside of [-1, 0, 1]) {
    expect(matchTotp(secret, code(beside), now, step + beside - 1)).toBe(step + beside)
    expect(matchTotp(secret, code(beside), now, step + beside)).toBeUndefined()
  }
})

test('a last step that lies ahead, as after a clock was set back, refuses and throws nothing', () => {
  for (const ahead of [1, 2, 3, 1_000, 1e9]) expect(matchTotp(secret, code(0), now, step + ahead)).toBeUndefined()
})

test('before 1970 and far in the future there is no code', () => {
  for (const time of [-1, 0, 1, 8.64e15]) expect(() => matchTotp(secret, '000000', time, -1)).not.toThrow()
})

test.each([
  '',
  '12345',
  '1234567',
  '12345a',
  '１２３４５６',
  '١٢٣٤٥٦',
  '-12345',
  '+12345',
  '1e5',
  '0x1234',
  '12.456',
  '123456\0',
  '123456\n',
  '\u{1d7ce}'.repeat(6),
  '123\u00a0456',
])('%j is no code', text => {
  expect(isTotpForm(text)).toBe(false)
  expect(matchTotp(secret, text, now, -1)).toBeUndefined()
})

test('a megabyte of digits is no code', () => {
  expect(isTotpForm('1'.repeat(1_000_000))).toBe(false)
})

test('spaces between the groups do not count', () => {
  expect(matchTotp(secret, ` ${code(0).slice(0, 3)} ${code(0).slice(3)} `, now, -1)).toBe(step)
})
