/** Sessions that show up elsewhere: another device, another network, each by the policy of the operator. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { SessionContext } from '../../src/machines/session/machine.ts'
import { PASSWORD } from './granted.ts'
import { HOUR, registered, startStage } from './memory-stage.ts'

const laptop = {
  deviceId: 'laptop',
  deviceFingerprint: 'of the laptop',
  ipAddress: '203.0.113.7',
  userAgent: 'Firefox',
}
const phone = { deviceId: 'phone', deviceFingerprint: 'of the phone', ipAddress: '198.51.100.9', userAgent: 'Safari' }

describe('another device', () => {
  test('has to show a factor, by default; the session is bound to the device that showed it', async () => {
    const { node, open, verdict } = await startStage()
    const { token, sessionId } = await open(laptop)
    expect(await verdict(token, laptop)).toBe('valid')
    expect(await verdict(token, phone)).toBe('factor_required')
    expect(await verdict(token, laptop), 'who of the two is the thief is not known').toBe('factor_required')
    expect(await node.accounts.refresh({ token }, laptop)).toMatchObject({ reason: 'factor_required' })
    const { context } = await node.actor('session', sessionId).state()
    expect(context).toMatchObject({ challenged: true })
  })

  test('is told by the id and by the fingerprint; who leaves out what was said is another', async () => {
    for (const client of [
      { ...laptop, deviceId: 'phone' },
      { ...laptop, deviceFingerprint: 'of the phone' },
      { ipAddress: laptop.ipAddress },
      {},
    ]) {
      const { open, verdict } = await startStage()
      const { token } = await open(laptop)
      expect(await verdict(token, client), JSON.stringify(client)).toBe('factor_required')
    }
  })

  test('ends the session where the policy is to revoke', async () => {
    const { node, open, verdict } = await startStage({ accounts: { onNewDevice: 'revoke' } })
    const { token, sessionId } = await open(laptop)
    expect(await verdict(token, phone)).toBe('invalid_session')
    expect(await verdict(token, laptop)).toBe('invalid_session')
    expect((await node.actor('session', sessionId).state()).context).toMatchObject({ endReason: 'another device' })
  })

  test('is written down where the policy is to ignore it, once a minute at most', async () => {
    const { node, clock, open, verdict } = await startStage({ accounts: { onNewDevice: 'ignore' } })
    const { token, sessionId } = await open(laptop)
    const rowOf = async () => {
      const { version, context } = await node.actor('session', sessionId).state()
      return { version, ...(context as unknown as SessionContext).row }
    }
    expect(await verdict(token, phone)).toBe('valid')
    await expect.poll(rowOf).toMatchObject({ device_id: 'phone', ip_address: phone.ipAddress, version: 2 })
    for (let n = 0; n < 100; n++) expect(await verdict(token, n % 2 ? phone : laptop)).toBe('valid')
    expect(await rowOf()).toMatchObject({ version: 2 })
    clock.advance(60_000)
    expect(await verdict(token, laptop)).toBe('valid')
    await expect.poll(rowOf).toMatchObject({ device_id: 'laptop' })
  })

  test('is nothing a session is asked about that was opened without one, nor a call within the process', async () => {
    const { open, verdict } = await startStage()
    expect(await verdict((await open({})).token, phone)).toBe('valid')
    expect(await verdict((await open(laptop)).token)).toBe('valid')
  })

  test('with a long id is the same device the next time', async () => {
    const { open, verdict } = await startStage()
    const client = { deviceId: 'é'.repeat(400) }
    expect(await verdict((await open(client)).token, client)).toBe('valid')
  })
})

describe('another network', () => {
  test('is none within a /24 or /48, and counts for nothing by default', async () => {
    const { open, verdict } = await startStage()
    const { token } = await open(laptop)
    expect(await verdict(token, { ...laptop, ipAddress: '198.51.100.9' })).toBe('valid')
  })

  test.each([
    ['step_up', 'factor_required'],
    ['revoke', 'invalid_session'],
  ] as const)('by the policy %s leads to %s', async (onNewNetwork, expected) => {
    const { open, verdict } = await startStage({ accounts: { onNewNetwork } })
    const { token } = await open(laptop)
    expect(await verdict(token, { ...laptop, ipAddress: '203.0.113.200' })).toBe('valid')
    expect(await verdict(token, { ...laptop, ipAddress: '203.0.114.7' })).toBe(expected)
  })
})

describe('a fresh factor', () => {
  test('is the password for a user without others: it lifts a challenge, under a new token that the thief has not', async () => {
    const { node } = await startStage()
    const user = await node.accounts.register({ username: 'bob', email: 'bob@example.org', password: PASSWORD })
    if (!user.ok) return expect.unreachable(user.detail)
    const login = await node.accounts.login({ login: 'bob', password: PASSWORD }, laptop)
    if (!login.ok) return expect.unreachable(login.detail)
    expect(await node.accounts.validate(login.token, phone)).toMatchObject({ reason: 'factor_required' })
    const wrong = await node.accounts.reauthenticate(login.token, 'wrong horse battery staple', laptop)
    expect(wrong).toMatchObject({ reason: 'invalid_credentials' })
    const fresh = await node.accounts.reauthenticate(login.token, PASSWORD, laptop)
    if (!fresh.ok) return expect.unreachable(fresh.detail)
    expect(fresh.sessionId).toBe(login.sessionId)
    expect(await node.accounts.validate(fresh.token, laptop)).toMatchObject({ ok: true })
    for (const client of [phone, laptop])
      expect(await node.accounts.validate(login.token, client)).toMatchObject({ reason: 'invalid_session' })
  })

  test('is wanted after so long, and a time that lies far ahead proves nothing', async () => {
    const { node, clock, userId } = await startStage()
    const at = (ms: number) => new Date(clock.now() + ms).toISOString()
    const required = (factorAt: string | null, authenticatedAt: string | null, withinMs?: number) =>
      node.accounts.requireFresh({ userId, factorAt, authenticatedAt } as never, withinMs)
    expect(await required(at(-HOUR), at(-60_000))).toBeUndefined()
    expect(await required(null, at(-6 * 60_000))).toMatchObject({ reason: 'factor_required', factors: ['password'] })
    expect(await required(null, at(-6 * 60_000), HOUR)).toBeUndefined()
    expect(await required(at(HOUR), at(HOUR))).toMatchObject({ reason: 'factor_required' })
  })

  test('of a user who has a second factor is that one: the password is not enough', async () => {
    const { node, clock } = await startStage()
    const userId = await registered(node, 'eve')
    const factor = await node.create('factor', { type: 'factor.enrolled', userId, method: 'totp', secret: 'sealed' })
    if (!factor.ok) return expect.unreachable(factor.reason)
    await node.actor('factor', factor.actor.id).send({ type: 'factor.confirmed', step: 58_000_000 })
    const now = new Date(clock.now()).toISOString()
    const session = { userId, factorAt: null, authenticatedAt: now } as never
    expect(await node.accounts.requireFresh(session)).toMatchObject({ reason: 'factor_required', factors: ['totp'] })
    const opened = await node.accounts.createSession(userId)
    if (!opened.ok) return expect.unreachable(opened.detail)
    expect(await node.accounts.reauthenticate(opened.token, PASSWORD)).toMatchObject({ factors: ['totp'] })
  })
})

describe('places', () => {
  const geoDatabase = path.resolve(import.meta.dirname, '../fixtures/geo/GeoIP2-City-Test.mmdb')

  test('stand with a session, where the operator gives a database', async () => {
    const { node, userId, open } = await startStage({ geoDatabase })
    await open({ ipAddress: '81.2.69.142' })
    await open({ ipAddress: '2001:218::1' })
    await open({ ipAddress: '192.0.2.1' })
    await open({})
    const places = (await node.accounts.sessions(userId)).map(({ place }) => place)
    expect(places).toEqual([null, null, 'JP', 'London, GB'])
  })

  test('are none without a database', async () => {
    const { node, userId, open } = await startStage()
    await open({ ipAddress: '81.2.69.142' })
    expect(await node.accounts.sessions(userId)).toMatchObject([{ place: null, ipAddress: '81.2.69.142' }])
  })
})
