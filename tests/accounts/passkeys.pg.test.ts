/** Passkeys on a real log: registered, shown alone and beside a password, once over two nodes, and every way to cheat. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeNode } from '../../src/index.ts'
import { Authenticator, type Twist } from '../support/authenticator.ts'
import { type AccountsNodes, ORIGIN, startAccountsNodes } from './accounts-nodes.ts'
import { granted, PASSWORD } from './granted.ts'

let nodes: AccountsNodes
let node: RuntimeNode
let other: RuntimeNode

beforeAll(async () => {
  nodes = await startAccountsNodes()
  ;({ node, other } = nodes)
})
afterAll(() => nodes.stop())

async function add(token: string, device: Authenticator, label = 'laptop') {
  const { options } = granted(await node.accounts.passkeys.registrationOptions(token))
  return node.accounts.passkeys.register(token, { attestation: device.create(options), label })
}

async function withPasskey(username: string) {
  const device = new Authenticator(ORIGIN)
  const session = await nodes.registered(username)
  return { ...granted(await add(session.token, device)), device, before: session.token }
}

async function signedIn(device: Authenticator, on = node) {
  const { options } = granted(await on.accounts.passkeys.loginOptions())
  return on.accounts.passkeys.login(device.get(options))
}

async function pending(username: string, on = node) {
  const session = granted(await on.accounts.login({ login: username, password: PASSWORD }))
  expect(session).toMatchObject({ pending: true, factors: expect.arrayContaining(['passkey']) })
  return session
}

const refusal = { ok: false, reason: 'invalid_passkey' }

describe('a passkey', () => {
  test('is registered under a new token, ends the other sessions, and comes with backup codes', async () => {
    const first = await nodes.registered('ada')
    const second = granted(await node.accounts.login({ login: 'ada', password: PASSWORD }))
    const device = new Authenticator(ORIGIN)
    const registered = granted(await add(second.token, device, 'key on the ring'))
    expect(registered.backupCodes).toHaveLength(10)
    expect(await node.accounts.validate(registered.token)).toMatchObject({ ok: true, methods: ['password', 'passkey'] })
    for (const over of [first.token, second.token])
      expect(await node.accounts.validate(over)).toMatchObject({ ok: false, reason: 'invalid_session' })
    expect(await node.accounts.passkeys.list(first.userId)).toEqual([
      {
        id: device.held[0]?.id,
        label: 'key on the ring',
        transports: ['internal'],
        backedUp: false,
        doubted: false,
        addedAt: expect.any(String),
        lastUsedAt: null,
      },
    ])
  })

  test('signs in alone, on the other node too, and counts as a second factor', async () => {
    const { device, userId } = await withPasskey('bob')
    const session = granted(await signedIn(device, other))
    expect(session.userId).toBe(userId)
    expect(await other.accounts.validate(session.token)).toMatchObject({
      ok: true,
      methods: ['passkey'],
      factorAt: expect.any(String),
    })
    expect(await node.accounts.passkeys.list(userId)).toMatchObject([{ lastUsedAt: expect.any(String) }])
  })

  test('completes the login of a pending session, and makes an open one fresh', async () => {
    const { device } = await withPasskey('eve')
    const waiting = await pending('eve')
    const { options } = granted(await other.accounts.passkeys.factorOptions(waiting.token))
    expect(options.allowCredentials).toMatchObject([{ id: device.held[0]?.id, transports: ['internal'] }])
    const opened = granted(await other.accounts.passkeys.verify(waiting.token, device.get(options)))
    const before = await other.accounts.validate(opened.token)
    expect(before).toMatchObject({ ok: true, methods: ['password', 'passkey'] })
    nodes.pass(1_000)
    const again = granted(await other.accounts.passkeys.factorOptions(opened.token))
    const elevated = granted(await other.accounts.passkeys.verify(opened.token, device.get(again.options)))
    expect(await other.accounts.validate(opened.token)).toMatchObject({ ok: false })
    const after = await other.accounts.validate(elevated.token)
    expect(after.ok && before.ok && Date.parse(after.factorAt ?? '') > Date.parse(before.factorAt ?? '')).toBe(true)
  })

  test('is renamed and removed; the last one takes the factor and the backup codes with it', async () => {
    const { token, userId, passkeyId } = await withPasskey('joe')
    const added = granted(await add(token, new Authenticator(ORIGIN), 'phone'))
    expect(added.backupCodes).toBeUndefined()
    granted(await node.accounts.passkeys.rename(added.token, passkeyId, 'old laptop'))
    expect(await node.accounts.passkeys.list(userId)).toMatchObject([{ label: 'old laptop' }, { label: 'phone' }])
    granted(await node.accounts.passkeys.remove(added.token, passkeyId))
    expect(await node.accounts.passkeys.list(userId)).toMatchObject([{ id: added.passkeyId }])
    await expect(node.accounts.passkeys.remove(added.token, passkeyId)).rejects.toMatchObject({ code: 'not_found' })
    await expect(node.accounts.passkeys.rename(added.token, passkeyId, 'x')).rejects.toMatchObject({
      code: 'not_found',
    })
    granted(await node.accounts.passkeys.remove(added.token, added.passkeyId))
    expect(await node.accounts.factors(userId)).toEqual([])
    expect(granted(await node.accounts.login({ login: 'joe', password: PASSWORD })).pending).toBeUndefined()
  })

  test('is registered, renamed and removed only by a session that may', async () => {
    const { token, passkeyId, device } = await withPasskey('kim')
    const waiting = await pending('kim')
    for (const answer of [
      node.accounts.passkeys.registrationOptions(waiting.token),
      node.accounts.passkeys.rename(waiting.token, passkeyId, 'mine'),
      node.accounts.passkeys.remove(waiting.token, passkeyId),
    ])
      expect(await answer).toMatchObject({ ok: false, reason: 'factor_required' })
    nodes.pass(10 * 60_000)
    for (const answer of [
      node.accounts.passkeys.registrationOptions(token),
      node.accounts.passkeys.remove(token, passkeyId),
    ])
      expect(await answer).toMatchObject({ ok: false, reason: 'factor_required' })
    // A challenge to show a passkey is none to register one.
    const { options } = granted(await node.accounts.passkeys.factorOptions(token))
    const creation = { challenge: options.challenge, rp: { id: options.rpId }, user: { id: 'AA' } }
    const attestation = device.create(creation)
    expect(await node.accounts.passkeys.register(token, { attestation, label: 'x' })).toMatchObject(refusal)
  })

  test('of which there are twenty is not joined by another', async () => {
    let { token, userId } = await withPasskey('max')
    for (let index = 1; index < 20; index++)
      ({ token } = granted(await add(token, new Authenticator(ORIGIN), `${index}`)))
    expect(await node.accounts.passkeys.list(userId)).toHaveLength(20)
    expect(await node.accounts.passkeys.registrationOptions(token)).toMatchObject({
      ok: false,
      reason: 'factor_exists',
    })
  })

  test('that is registered cannot be registered again, by its user or by another', async () => {
    const { token, device } = await withPasskey('liz')
    const { token: mine } = await nodes.registered('tom')
    const [known] = device.held
    for (const session of [token, mine]) {
      const { options } = granted(await node.accounts.passkeys.registrationOptions(session))
      const attestation = new Authenticator(ORIGIN).create(options, { credentialId: known?.id ?? '' })
      expect(await node.accounts.passkeys.register(session, { attestation, label: 'x' })).toMatchObject({
        ok: false,
        reason: 'factor_exists',
      })
    }
  })

  test('registered at the same time as another on the other node is kept beside it', async () => {
    const { token, userId } = await nodes.registered('ivy')
    const answers = await Promise.all(
      [node, other].map(async on => {
        const { options } = granted(await on.accounts.passkeys.registrationOptions(token))
        const attestation = new Authenticator(ORIGIN).create(options)
        return { on, attestation }
      }),
    )
    const registered = await Promise.all(
      answers.map(({ on, attestation }) => on.accounts.passkeys.register(token, { attestation, label: 'one of two' })),
    )
    const ids = (await node.accounts.passkeys.list(userId)).map(({ id }) => id)
    expect(ids.length).toBeGreaterThan(0)
    // The session may have its new token before the second comes.
    for (const answer of registered)
      if (answer.ok) expect(ids).toContain(answer.passkeyId)
      else expect(answer.reason).toBe('invalid_session')
    expect(registered.some(({ ok }) => ok)).toBe(true)
    expect((await node.accounts.factors(userId)).map(({ method }) => method)).toEqual(['passkey', 'backup_codes'])
  })

  test('of a user who is out of use opens nothing', async () => {
    const { device, userId } = await withPasskey('zoe')
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    expect(await signedIn(device)).toMatchObject(refusal)
  })

  test('belongs to a public address: a node without one says so', async () => {
    const nowhere = await startAccountsNodes({ publicUrl: '' })
    try {
      await expect(nowhere.node.accounts.passkeys.loginOptions()).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining('ROOTSTREAM_PUBLIC_URL'),
      })
    } finally {
      await nowhere.stop()
    }
  })
})

test('the domain of passkeys may be one above the host', async () => {
  const wide = await startAccountsNodes({ passkeyDomain: 'example.org' })
  try {
    const { token } = await wide.registered('ada')
    const { options } = granted(await wide.node.accounts.passkeys.registrationOptions(token))
    expect(options.rp.id).toBe('example.org')
    const attestation = new Authenticator(ORIGIN).create(options)
    granted(await wide.node.accounts.passkeys.register(token, { attestation, label: 'x' }))
  } finally {
    await wide.stop()
  }
})

describe('an assertion', () => {
  test('is taken once, on whichever node it is shown again, and once of twenty at the same time', async () => {
    const { device } = await withPasskey('rae')
    const { options } = granted(await node.accounts.passkeys.loginOptions())
    const assertion = device.get(options)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? node : other).accounts.passkeys.login(assertion)),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    for (const on of [node, other]) expect(await on.accounts.passkeys.login(assertion)).toMatchObject(refusal)
  })

  test('for the challenge of another session, of a login, or of another user is refused', async () => {
    const { device, token } = await withPasskey('sam')
    const { token: foreign } = await withPasskey('sue')
    const waiting = await pending('sam')
    const { options: ofOpen } = granted(await node.accounts.passkeys.factorOptions(token))
    const { options: ofForeign } = granted(await node.accounts.passkeys.factorOptions(foreign))
    const { options: ofLogin } = granted(await node.accounts.passkeys.loginOptions())
    const mine = { allowCredentials: device.held }
    for (const { challenge, rpId } of [ofOpen, ofForeign, ofLogin])
      expect(
        await other.accounts.passkeys.verify(waiting.token, device.get({ challenge, rpId, ...mine })),
      ).toMatchObject(refusal)
    const { options } = granted(await node.accounts.passkeys.factorOptions(waiting.token))
    expect(await node.accounts.passkeys.login(device.get(options))).toMatchObject(refusal)
    // None of this used up the challenge of the session itself.
    granted(await node.accounts.passkeys.verify(waiting.token, device.get(options)))
  })

  test('of five minutes ago is refused', async () => {
    const { device } = await withPasskey('ned')
    const { options } = granted(await node.accounts.passkeys.loginOptions())
    nodes.pass(300_001)
    expect(await node.accounts.passkeys.login(device.get(options))).toMatchObject(refusal)
  })

  test("by another user's passkey shows nothing for this one", async () => {
    await withPasskey('una')
    const { device: thief } = await withPasskey('uli')
    const waiting = await pending('una')
    const { options } = granted(await node.accounts.passkeys.factorOptions(waiting.token))
    const { challenge, rpId } = options
    expect(await node.accounts.passkeys.verify(waiting.token, thief.get({ challenge, rpId }))).toMatchObject(refusal)
  })

  const twists: Record<string, Twist> = {
    'from another origin': { origin: 'https://evil.example' },
    'for another site': { rpId: 'evil.example' },
    'for a challenge nobody gave': { challenge: Buffer.from('rst_1_junk').toString('base64url') },
    'without user verification': { userVerified: false },
    'under the name of nobody': { userHandle: undefined },
    'under the name of another user': { userHandle: Buffer.from('user/1').toString('base64url') },
    'by a passkey nobody has': { id: Buffer.from('nobody').toString('base64url') },
    'within a page of another site': { crossOrigin: true },
  }

  test.each(Object.entries(twists))('%s opens nothing, and all of these are answered alike', async (_, twist) => {
    const { device } = await withPasskey(`user${Object.values(twists).indexOf(twist)}`)
    const { options } = granted(await node.accounts.passkeys.loginOptions())
    const answer = await node.accounts.passkeys.login(device.get(options, twist))
    expect(answer).toEqual(await node.accounts.passkeys.login({ ...device.get(options), clientDataJSON: 'junk' }))
    expect(answer).toMatchObject(refusal)
  })

  test('by a counter that does not grow is refused, recorded and told to the user; later ones are taken', async () => {
    const { device, userId } = await withPasskey('lea')
    granted(await signedIn(device))
    const { options } = granted(await node.accounts.passkeys.loginOptions())
    expect(await node.accounts.passkeys.login(device.get(options, { counter: 2 }))).toMatchObject(refusal)
    expect(await node.accounts.passkeys.list(userId)).toMatchObject([{ doubted: true }])
    granted(await signedIn(device, other))
    const events = await node.log.readAll(0, 10_000)
    const ours = events.filter(({ type, data }) => type === 'mfa.attempted' && data['userId'] === userId)
    expect(ours.map(({ data }) => data['success'])).toEqual([true, true, false, true])
  })

  test('by a key without a counter is taken each time, of two at once too', async () => {
    const device = new Authenticator(ORIGIN)
    const { token } = await nodes.registered('jan')
    const { options } = granted(await node.accounts.passkeys.registrationOptions(token))
    const attestation = device.create(options, { counter: 0 })
    granted(await node.accounts.passkeys.register(token, { attestation, label: 'synced' }))
    for (const session of await Promise.all([signedIn(device), signedIn(device, other)])) granted(session)
  })
})

test('challenges have a budget by address', async () => {
  const client = { ipAddress: '203.0.113.9' }
  for (let index = 0; index < 100; index++) await node.accounts.passkeys.loginOptions(client)
  expect(await node.accounts.passkeys.loginOptions(client)).toMatchObject({ ok: false, reason: 'too_many_attempts' })
  // All addresses of one line of IPv6 are one.
  const options = (host: number) => node.accounts.passkeys.loginOptions({ ipAddress: `2001:db8:9:9::${host}` })
  for (let index = 0; index < 100; index++) granted(await options(index + 1))
  expect(await options(999)).toMatchObject({ ok: false, reason: 'too_many_attempts' })
})

test('passkeys and codes share one budget', async () => {
  const { device } = await withPasskey('pam')
  const waiting = await pending('pam')
  for (let index = 0; index < 10; index++) {
    const { options } = granted(await node.accounts.passkeys.factorOptions(waiting.token))
    const wrong = device.get(options, { origin: 'https://evil.example' })
    expect(await node.accounts.passkeys.verify(waiting.token, wrong)).toMatchObject(refusal)
  }
  expect(await node.accounts.verifyFactor(waiting.token, { method: 'backup_codes', code: 'x' })).toMatchObject({
    ok: false,
    reason: 'too_many_attempts',
  })
})
