/** Tokens of trusted devices: what tells a device from a guess, and a token that is over from one that never was. */
import { expect, test } from 'vitest'
import { issueDeviceToken, parseDeviceToken } from '../../src/auth/device-token.ts'

test('a token names its device, and the next one is of the same family under another hash', () => {
  const issued = issueDeviceToken(12)
  const shown = parseDeviceToken(issued.token)
  expect(shown).toMatchObject({ id: 12, hash: issued.hash, familyHash: issued.familyHash })
  const next = shown?.next()
  expect(next).toMatchObject({ familyHash: issued.familyHash, token: expect.stringMatching(/^rsd_12_/) })
  expect(next?.hash).not.toBe(issued.hash)
  expect(parseDeviceToken(next?.token ?? '')).toMatchObject({ hash: next?.hash, familyHash: issued.familyHash })
})

test('no two devices share a family, and neither hash is in the token', () => {
  const [one, two] = [issueDeviceToken(1), issueDeviceToken(1)]
  expect(one.familyHash).not.toBe(two.familyHash)
  for (const hash of [one.hash, one.familyHash]) expect(one.token).not.toContain(hash)
})

test('what has another form names nothing', () => {
  const { token } = issueDeviceToken(3)
  for (const text of [
    '',
    token.replace('rsd', 'rss'),
    `${token}A`,
    token.slice(0, -1),
    `${token.slice(0, -1)}B`,
    ` ${token}`,
  ])
    expect(parseDeviceToken(text), text).toBeUndefined()
})
