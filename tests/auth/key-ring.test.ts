/** What is sealed opens under its key, for what it was sealed for, unchanged, and not otherwise. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createKeyRing, keyIdOf } from '../../src/auth/key-ring.ts'
import { newKey, type RingKey } from '../../src/auth/key-text.ts'

const keyOf = (id: string): RingKey => ({ id, key: randomBytes(32) })
const [old, young] = [keyOf('old'), keyOf('young')]
const ring = createKeyRing([young, old])
const refused = expect.objectContaining({ code: 'corrupt_data' })
const thrownBy = (work: () => unknown) => {
  try {
    return work()
  } catch (error) {
    return error
  }
}
const changedAt = (sealed: string, index: number) =>
  sealed.slice(0, index) + (sealed[index] === 'A' ? 'B' : 'A') + sealed.slice(index + 1)

test('the first key seals, all open, and each sealing differs', () => {
  const sealed = ring.seal('secret', 'factor/1/secret')
  expect(keyIdOf(sealed)).toBe('young')
  expect(ring.open(sealed, 'factor/1/secret')).toBe('secret')
  expect(ring.seal('secret', 'factor/1/secret')).not.toBe(sealed)
  const before = createKeyRing([old]).seal('secret', 'factor/1/secret')
  expect(ring.open(before, 'factor/1/secret')).toBe('secret')
  expect([ring.isStale(sealed), ring.isStale(before)]).toEqual([false, true])
  expect(ring.keyIds()).toEqual(['young', 'old'])
})

test('moved to another user or another use, it does not open', () => {
  const sealed = ring.seal('secret', 'factor/1/secret')
  for (const context of ['factor/2/secret', 'factor/1/backup', '', 'factor/1/secret\0'])
    expect(thrownBy(() => ring.open(sealed, context))).toEqual(refused)
})

test('changed in any character, it does not open', () => {
  const sealed = ring.seal('secret', 'c')
  for (let index = 0; index < sealed.length; index++) {
    const changed = changedAt(sealed, index)
    // The last character has bits that stand for nothing.
    if (
      index === sealed.length - 1 &&
      Buffer.from(changed.split('.')[3] ?? '', 'base64url').equals(Buffer.from(sealed.split('.')[3] ?? '', 'base64url'))
    )
      continue
    expect(thrownBy(() => ring.open(changed, 'c'))).toEqual(refused)
  }
})

test('a tag of 4 bytes, which AES-GCM itself would take, is refused', () => {
  const [, , iv = '', body = ''] = ring.seal('secret', 'c').split('.')
  const bytes = Buffer.from(body, 'base64url')
  const shortTag = Buffer.concat([bytes.subarray(0, -16), bytes.subarray(-16, -12)])
  // That it would take it is why the length is set.
  const key = Buffer.from(hkdfSync('sha256', young.key, Buffer.alloc(0), 'rootstream sealing', 32))
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 4 })
  decipher.setAAD(Buffer.from('c'))
  decipher.setAuthTag(shortTag.subarray(-4))
  expect(decipher.update(shortTag.subarray(0, -4), undefined, 'utf8') + decipher.final('utf8')).toBe('secret')
  for (const cut of [shortTag, bytes.subarray(0, -1), bytes.subarray(1), bytes.subarray(-16)])
    expect(thrownBy(() => ring.open(`v1.young.${iv}.${cut.toString('base64url')}`, 'c'))).toEqual(refused)
  const forged = createCipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 4 })
  forged.setAAD(Buffer.from('c'))
  const text = Buffer.concat([forged.update('x'.repeat(16)), forged.final(), forged.getAuthTag()])
  expect(thrownBy(() => ring.open(`v1.young.${iv}.${text.toString('base64url')}`, 'c'))).toEqual(refused)
})

test('under a key that is not in the ring, it does not open, and the error names the key and no other text', () => {
  const sealed = ring.seal('secret', 'c')
  const error = thrownBy(() => createKeyRing([old]).open(sealed, 'c'))
  expect(error).toMatchObject({ code: 'corrupt_data', message: expect.stringMatching(/'young'.* has old\b/) })
  const namesake = createKeyRing([keyOf('young')])
  expect(thrownBy(() => namesake.open(sealed, 'c'))).toEqual(refused)
})

test('what was never sealed does not open', () => {
  for (const text of [
    '',
    'secret',
    'v1',
    'v1...',
    'v2.young.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA',
    'v1.young.short.AAAAAAAAAAAAAAAAAAAAAA',
  ])
    expect(thrownBy(() => ring.open(text, 'c'))).toEqual(refused)
})

test('a ring that changes seals under its newest key at once, and opens under what came since', () => {
  let keys = [old]
  const changing = createKeyRing(keys, { latest: () => keys })
  const before = changing.seal('secret', 'c')
  keys = [young, old]
  expect(changing.isStale(before)).toBe(true)
  expect(changing.open(ring.seal('other', 'c'), 'c')).toBe('other')
  expect(keyIdOf(changing.seal('secret', 'c'))).toBe('young')
})

test('fingerprints stay when keys come and go, and differ by text, by use and by log', () => {
  const naming = randomBytes(32)
  const fingerprint = createKeyRing([old], { naming }).fingerprint('ada@example.org', 'email')
  expect(createKeyRing([young], { naming }).fingerprint('ada@example.org', 'email')).toBe(fingerprint)
  const others = [
    createKeyRing([old], { naming: randomBytes(32) }).fingerprint('ada@example.org', 'email'),
    createKeyRing([old], { naming }).fingerprint('ada@example.org', 'sms'),
    createKeyRing([old], { naming }).fingerprint('ad@example.org', 'email'),
  ]
  expect(new Set([fingerprint, ...others]).size).toBe(4)
})

test('new keys have the day in their id', () => {
  expect(newKey(Date.parse('2026-11-21T12:00:00Z')).id).toMatch(/^2026-11-21-[0-9a-f]{6}$/)
})
