/** Trusted devices on a real log: no second factor there for a while, and for nobody else. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { login as passwordLogin } from '../../src/accounts/login.ts'
import { ACCOUNT_DEFAULTS } from '../../src/accounts/settings.ts'
import { parseDeviceToken } from '../../src/auth/device-token.ts'
import type { RuntimeNode } from '../../src/index.ts'
import { systemClock } from '../../src/system-clock.ts'
import { Authenticator } from '../support/authenticator.ts'
import { type AccountsNodes, ORIGIN, startAccountsNodes } from './accounts-nodes.ts'
import { granted, PASSWORD } from './granted.ts'
import { quietPorts } from './quiet-ports.ts'

const DAY_MS = 86_400_000
const ONE = { most: 1, policy: 'refuse' } as const

let nodes: AccountsNodes
let node: RuntimeNode
let other: RuntimeNode

beforeAll(async () => {
  nodes = await startAccountsNodes()
  ;({ node, other } = nodes)
})
afterAll(() => nodes.stop())

async function add(token: string, device = new Authenticator(ORIGIN)) {
  const { options } = granted(await node.accounts.passkeys.registrationOptions(token))
  return granted(await node.accounts.passkeys.register(token, { attestation: device.create(options), label: 'key' }))
}

/** A user with a passkey who trusts a device. */
async function trusting(username: string, client = {}) {
  const session = await nodes.registered(username)
  const device = new Authenticator(ORIGIN)
  const { token } = await add(session.token, device)
  const { deviceToken, deviceExpiresAt } = granted(await node.accounts.devices.trust(token, 'browser', client))
  return { ...session, token, device, deviceToken, deviceExpiresAt }
}

async function login(username: string, deviceToken: string, on = node, client = {}) {
  const answer = await on.accounts.login({ login: username, password: PASSWORD, deviceToken }, client)
  return {
    ...granted(answer),
    deviceToken: granted(answer).pending ? undefined : (answer as { deviceToken?: string }).deviceToken,
  }
}

describe('on a trusted device', () => {
  test('a login asks for no factor, on each node, and gives a new token; what asks for step-up still does', async () => {
    const { userId, deviceToken } = await trusting('ada')
    const first = await login('ada', deviceToken, other)
    expect(first.pending).toBeUndefined()
    expect(await other.accounts.validate(first.token)).toMatchObject({
      ok: true,
      methods: ['password', 'trusted_device'],
      factorAt: null,
    })
    expect(await other.accounts.devices.trust(first.token)).toMatchObject({ ok: false, reason: 'factor_required' })
    expect(await other.accounts.passkeys.registrationOptions(first.token)).toMatchObject({
      ok: false,
      reason: 'factor_required',
    })
    expect(first.deviceToken).not.toBe(deviceToken)
    const second = await login('ada', first.deviceToken ?? '')
    expect(second.pending).toBeUndefined()
    expect(await node.accounts.devices.list(userId)).toMatchObject([
      { label: 'browser', lastUsedAt: expect.any(String) },
    ])
  })

  test('a wrong password is a wrong password', async () => {
    const { deviceToken } = await trusting('abe')
    const answer = await node.accounts.login({ login: 'abe', password: 'wrong horse battery staple', deviceToken })
    expect(answer).toMatchObject({ ok: false, reason: 'invalid_credentials' })
    expect((await login('abe', deviceToken)).pending).toBeUndefined()
  })

  test('its user is not locked out by strangers, from wherever; a device that is trusted no more is a stranger', async () => {
    const wrong = 'wrong horse battery staple'
    const { userId, deviceToken } = await trusting('art', { deviceId: 'the phone' })
    for (let n = 0; n < 6; n++)
      await node.accounts.login({ login: 'art', password: wrong }, { ipAddress: '203.0.113.9' })
    const from = (ipAddress: string, deviceId = 'the phone') => ({ ipAddress, deviceId })
    const tried = (token: string, client: object) =>
      node.accounts.login({ login: 'art', password: PASSWORD, deviceToken: token }, client)
    const lockedOut = { ok: false, reason: 'too_many_attempts' }
    const guess = `${deviceToken.slice(0, -43)}${'A'.repeat(43)}`
    expect(await tried(guess, from('198.51.100.1')), 'a guess').toMatchObject(lockedOut)
    expect(await tried(deviceToken, from('198.51.100.2', 'a laptop')), 'elsewhere').toMatchObject(lockedOut)
    const { deviceToken: theirs } = await trusting('ann')
    expect(await tried(theirs, from('198.51.100.3')), 'of somebody else').toMatchObject(lockedOut)
    const first = await login('art', deviceToken, node, from('198.51.100.4'))
    expect(first.pending).toBeUndefined()
    // Each device has a budget, as each place has.
    const next = first.deviceToken ?? ''
    for (let n = 0; n < 5; n++)
      await node.accounts.login({ login: 'art', password: wrong, deviceToken: next }, from(`198.51.100.${n + 10}`))
    expect(await tried(next, from('198.51.100.20')), 'by guesses from the device').toMatchObject(lockedOut)
    await node.accounts.devices.revokeAll(userId)
    expect(await tried(next, from('198.51.100.21', 'a tablet')), 'revoked').toMatchObject(lockedOut)
  })

  test('the trust ends after 30 days, however often it was used', async () => {
    const { deviceToken, deviceExpiresAt } = await trusting('bob')
    expect(Date.parse(deviceExpiresAt)).toBeGreaterThan(Date.now() + 29 * DAY_MS)
    nodes.pass(29 * DAY_MS)
    const used = await login('bob', deviceToken)
    expect(used.pending).toBeUndefined()
    nodes.pass(DAY_MS + 1_000)
    expect((await login('bob', used.deviceToken ?? '')).pending).toBe(true)
  })

  test('the trust ends when it is revoked, alone or with all others, and only by its user', async () => {
    const { userId, token, deviceToken } = await trusting('eve')
    const second = granted(await node.accounts.devices.trust(token)).deviceToken
    const { userId: somebody } = await trusting('eva')
    const id = parseDeviceToken(deviceToken)?.id ?? 0
    await expect(node.accounts.devices.revoke(somebody, id)).rejects.toMatchObject({ code: 'not_found' })
    await node.accounts.devices.revoke(userId, id)
    expect((await login('eve', deviceToken, other)).pending).toBe(true)
    expect(await other.accounts.devices.list(userId)).toHaveLength(1)
    expect(await other.accounts.devices.revokeAll(userId)).toBe(1)
    expect((await login('eve', second)).pending).toBe(true)
    expect(await node.accounts.devices.list(userId)).toEqual([])
  })

  test('of twenty the oldest makes room for another', async () => {
    const { userId, token, deviceToken } = await trusting('max')
    for (let index = 0; index < 20; index++) granted(await node.accounts.devices.trust(token, `${index}`))
    expect(await node.accounts.devices.list(userId)).toHaveLength(20)
    expect((await login('max', deviceToken)).pending).toBe(true)
  })
})

describe('the trust in all devices ends at once, on each node,', () => {
  test('when the password changes', async () => {
    const { userId, deviceToken } = await trusting('kim')
    const { context } = await node.actor('user', userId).state()
    const { password_hash: passwordHash } = (context as { row: { password_hash: string } }).row
    await node.actor('user', userId).send({ type: 'user.password.changed', passwordHash })
    expect((await login('kim', deviceToken, other)).pending).toBe(true)
    expect(await node.accounts.devices.list(userId)).toEqual([])
  })

  test('when the account is shut, also once it is open again', async () => {
    const { userId, deviceToken } = await trusting('kai')
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    await node.actor('user', userId).send({ type: 'user.reactivated' })
    expect((await login('kai', deviceToken, other)).pending).toBe(true)
  })

  test('when a factor is added or removed', async () => {
    const { token, deviceToken } = await trusting('lee')
    const added = await add(token)
    expect((await login('lee', deviceToken, other)).pending).toBe(true)
    const again = granted(await node.accounts.devices.trust(added.token)).deviceToken
    granted(await node.accounts.passkeys.remove(added.token, added.passkeyId))
    expect((await login('lee', again, other)).pending).toBe(true)
  })

  test('when an administrator resets the factors, also for whoever enrols them anew', async () => {
    const { userId, deviceToken } = await trusting('lou')
    await node.accounts.resetFactors(userId)
    const session = granted(await other.accounts.login({ login: 'lou', password: PASSWORD }))
    await add(session.token)
    expect((await login('lou', deviceToken, other)).pending).toBe(true)
  })
})

test('a login on a trusted device, in the middle of which a factor is added, waits for one', async () => {
  const { token, deviceToken } = await trusting('mia')
  let addFactor: (() => Promise<unknown>) | undefined = () => add(token)
  const ports = await quietPorts(node, {
    clock: { ...systemClock, now: () => Date.now() + nodes.ahead() },
    // Between the look at the device and the session.
    nextId: async type => {
      const run = addFactor
      addFactor = undefined
      await run?.()
      return node.log.nextId(type)
    },
  })
  const answer = granted(await passwordLogin(ports, { login: 'mia', password: PASSWORD, deviceToken }, {}))
  expect(answer).toMatchObject({ pending: true, factors: ['passkey', 'backup_codes'] })
  expect(answer).not.toHaveProperty('deviceToken')
})

describe('a device token', () => {
  test('shown at a login that is refused for the limit of sessions stays good', async () => {
    const strict = await startAccountsNodes({ sessionLimits: { ...ACCOUNT_DEFAULTS.sessionLimits, viewer: ONE } })
    onTestFinished(() => strict.stop())
    const { accounts } = strict.node
    const session = await strict.registered('ada')
    const { options } = granted(await accounts.passkeys.registrationOptions(session.token))
    const attestation = new Authenticator(ORIGIN).create(options)
    const { token } = granted(await accounts.passkeys.register(session.token, { attestation, label: 'key' }))
    const { deviceToken } = granted(await accounts.devices.trust(token))
    const shown = { login: 'ada', password: PASSWORD, deviceToken }
    expect(await accounts.login(shown)).toMatchObject({ ok: false, reason: 'session_limit' })
    await accounts.logout(token)
    strict.pass(60_000)
    expect(granted(await accounts.login(shown)).pending).toBeUndefined()
  })

  test('of another user opens nothing, and stays good for its own', async () => {
    const { deviceToken } = await trusting('tia')
    await trusting('tim')
    expect((await login('tim', deviceToken)).pending).toBe(true)
    expect((await login('tia', deviceToken)).pending).toBeUndefined()
  })

  test('shown by another device is refused, and revoked', async () => {
    const { deviceToken } = await trusting('uma', { deviceId: 'the phone' })
    expect((await login('uma', deviceToken, other, { deviceId: 'a laptop' })).pending).toBe(true)
    expect((await login('uma', deviceToken, node, { deviceId: 'the phone' })).pending).toBe(true)
  })

  test('shown by the device it was given to is taken', async () => {
    const { deviceToken } = await trusting('una', { deviceId: 'the phone' })
    expect((await login('una', deviceToken, node, { deviceId: 'the phone' })).pending).toBeUndefined()
  })

  test('that is guessed changes nothing', async () => {
    const { deviceToken } = await trusting('vic')
    for (const guess of [`${deviceToken.slice(0, -43)}${'A'.repeat(43)}`, 'rsd_999999999_junk', 'junk', ''])
      expect((await login('vic', guess)).pending, guess).toBe(true)
    expect((await login('vic', deviceToken)).pending).toBeUndefined()
  })

  test('that was stolen and used first by either side ends the trust when the other shows it', async () => {
    const { userId, deviceToken: stolen } = await trusting('wes')
    const byThief = await login('wes', stolen, other)
    expect(byThief.pending).toBeUndefined()
    nodes.pass(10_001)
    expect((await login('wes', stolen)).pending).toBe(true)
    expect((await login('wes', byThief.deviceToken ?? '', other)).pending).toBe(true)
    expect(await node.accounts.devices.list(userId)).toEqual([])
  })

  test('shown by its device twice at a time is an honest race: one login gets the next token', async () => {
    const { deviceToken } = await trusting('xia')
    const logins = await Promise.all([login('xia', deviceToken), login('xia', deviceToken, other)])
    expect(logins.map(({ pending }) => pending)).toEqual([undefined, undefined])
    const given = logins.flatMap(({ deviceToken: next }) => (next === undefined ? [] : [next]))
    expect(given).toHaveLength(1)
    nodes.pass(10_001)
    expect((await login('xia', given[0] ?? '')).pending).toBeUndefined()
  })

  test('is kept nowhere: the log has hashes', async () => {
    const { deviceToken } = await trusting('yan')
    const next = (await login('yan', deviceToken)).deviceToken ?? ''
    const written = JSON.stringify(await node.log.readAll(0, 10_000))
    for (const token of [deviceToken, next]) expect(written).not.toContain(token.slice(-43, -20))
  })
})
