/** Accounts and passwords on two nodes of one log: who may register under which name, and what a new password ends. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import type { RuntimeNode } from '../../src/index.ts'
import { showFactor } from '../support/accounts.ts'
import { type NodePair, startNodePair } from '../support/node-pair.ts'
import { eventually } from '../sync/eventually.ts'

const password = 'correct horse battery staple'
const next = 'another horse, another battery'

let pair: NodePair
let node: RuntimeNode
let other: RuntimeNode
beforeAll(async () => {
  pair = await startNodePair()
  ;({ node, other } = pair)
})
afterAll(() => pair.close())

let name: string
let names = 0
beforeEach(() => {
  name = `user${++names}`
})

const register = (username: string, more: { email?: string; displayName?: string; password?: string } = {}) =>
  node.accounts.register({ username, email: `mail${++names}@example.org`, password, ...more })

async function signedIn(as = name) {
  const session = await node.accounts.login({ login: as, password })
  return session.ok ? session : expect.unreachable(session.detail)
}

async function validated(token: string) {
  const session = await node.accounts.validate(token)
  return session.ok ? session : expect.unreachable(session.detail)
}

describe('registration', () => {
  test('keeps a name in compatibility form, and one signs in by any spelling of it', async () => {
    expect(await register('Ｚｏｅ\u0308７', { email: 'Zoe@Example.org' })).toMatchObject({
      ok: true,
      username: 'Zo\u00eb7',
    })
    for (const spelling of ['zo\u00eb7', 'ZOE\u03087', 'zoe@example.org', 'ZOE@EXAMPLE.ORG'])
      expect(await other.accounts.login({ login: spelling, password }), spelling).toMatchObject({ ok: true })
  })

  test('of a name that is taken, or looks like one, or with an address that is, says the same', async () => {
    await register('paypal', { email: 'owner@example.org' })
    const refused = [
      await register('PayPal'),
      await register('\u0440\u0430\u0443\u0440\u0430\u04c0'),
      await register('paypa1'),
      await register('PayPaI'),
      await register(name, { email: 'OWNER@example.org' }),
    ]
    for (const answer of refused) expect(answer).toEqual(refused[0])
    expect(refused[0]).toMatchObject({ ok: false, reason: 'taken' })
  })

  test('of the same name on two nodes at once has one that wins', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? node : other).accounts.register({ username: name, email: `race${n}@example.org`, password }),
      ),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('frees the look of a name with the name', async () => {
    const first = await register('anna1')
    expect(await register('annal')).toMatchObject({ reason: 'taken' })
    if (first.ok) await node.actor('user', first.userId).send({ type: 'user.updated', username: 'anna-maria' })
    expect(await register('annal')).toMatchObject({ ok: true })
  })

  test.each([
    ["Robert'); drop table users;--", {}],
    ['ada\r\nSet-Cookie: x=y', {}],
    ['p\u0430ypal2', {}],
    ['fine-name', { displayName: 'two\nlines' }],
    ['fine-name', { displayName: 'turned \u202e' }],
  ])('refuses what is no name: %j', async (username, more) => {
    expect(await register(username, more)).toMatchObject({ ok: false, reason: 'unusable_name' })
  })

  test('takes SQL in every text as text', async () => {
    const sql = "'; drop table users; --"
    const secret = "x'); update users set password_hash = 'x' where ('1' = '1"
    const answer = await register(name, { displayName: sql, password: secret })
    expect(answer).toMatchObject({ ok: true })
    for (const login of [sql, `${sql}@example.org`, `' or '1'='1`, 'a\0b', 'lone \ud800', 'x'.repeat(1_000_000), ''])
      expect(await node.accounts.login({ login, password: sql })).toMatchObject({ reason: 'invalid_credentials' })
    expect(await node.accounts.login({ login: name, password: secret })).toMatchObject({
      ok: true,
    })
  })

  test('with an address of another form names no value in its error', async () => {
    const error = await register(name, { email: 'secret-part\u0000@nowhere' }).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'invalid_event' })
    expect(String((error as Error).message)).not.toContain('secret-part')
  })

  test('refuses a password by the rules, and says which', async () => {
    expect(await register(name, { password: 'short' })).toMatchObject({
      reason: 'unusable_password',
      detail: expect.stringContaining('has 5 characters, and 15 are needed'),
    })
    expect(await register('gwendolyn', { password: 'Gwendolyn-RootStream' })).toMatchObject({
      reason: 'unusable_password',
      detail: expect.stringContaining('your name'),
    })
  })
})

describe('a password that is changed', () => {
  test('ends all other sessions, on all nodes, and voids the token that was shown', async () => {
    await register(name)
    const [mine, elsewhere] = [await signedIn(), await signedIn()]
    const changed = await node.accounts.changePassword(await validated(mine.token), { current: password, next })
    if (!changed.ok) return expect.unreachable(changed.detail)
    expect(changed.sessionId).toBe(mine.sessionId)
    for (const at of [node, other]) {
      await eventually(async () => {
        expect(await at.accounts.validate(elsewhere.token)).toMatchObject({ ok: false })
        expect(await at.accounts.validate(mine.token)).toMatchObject({ ok: false })
        expect(await at.accounts.validate(changed.token)).toMatchObject({ ok: true, sessionId: mine.sessionId })
      })
      expect(await at.accounts.login({ login: name, password })).toMatchObject({ reason: 'invalid_credentials' })
      expect(await at.accounts.login({ login: name, password: next })).toMatchObject({ ok: true })
    }
    expect((await node.actor('session', elsewhere.sessionId).state()).state).toBe('revoked')
  })

  test('needs the present one, a few times at most, and the rules', async () => {
    await register(name)
    const session = await validated((await signedIn()).token)
    const change = (current: string, to = next) => node.accounts.changePassword(session, { current, next: to })
    expect(await change(password, 'short')).toMatchObject({ reason: 'unusable_password' })
    for (let n = 0; n < 5; n++) expect(await change(`wrong ${n}`)).toMatchObject({ reason: 'invalid_credentials' })
    expect(await change(password)).toMatchObject({ reason: 'too_many_attempts' })
    expect(await node.accounts.validate((await signedIn()).token)).toMatchObject({ ok: true })
  })

  test('needs a factor that was shown lately, where there is one, and may be shorter then', async () => {
    const answer = await register(name)
    if (!answer.ok) return expect.unreachable(answer.detail)
    const session = await validated((await signedIn()).token)
    await node.create('factor', { type: 'factor.enrolled', userId: answer.userId, method: 'totp', secret: 'sealed' })
    const holder = await node.log.holderOf({ kind: 'factor', key: `${answer.userId}/totp` })
    const factor = node.actor('factor', holder?.id ?? 0)
    expect(await factor.send({ type: 'factor.confirmed', step: 1 })).toMatchObject({ ok: true })
    const change = (factorAt: string | null) =>
      node.accounts.changePassword({ ...session, factorAt }, { current: password, next: 'kx3vqzjw' })
    expect(await change(null)).toMatchObject({ reason: 'factor_required' })
    expect(await change(new Date(Date.now() - 3_600_000).toISOString())).toMatchObject({ reason: 'factor_required' })
    expect(await change(new Date().toISOString())).toMatchObject({ ok: true })
  })

  test('twice at once is changed once', async () => {
    await register(name)
    const sessions = [await validated((await signedIn()).token), await validated((await signedIn()).token)]
    const answers = await Promise.all(
      sessions.map((session, n) =>
        (n === 0 ? node : other).accounts.changePassword(session, { current: password, next: `${next} ${n}` }),
      ),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('opens no session for whoever showed the old one in the meantime', async () => {
    await register(name)
    const session = await validated((await signedIn()).token)
    const logins = Array.from({ length: 4 }, (_, n) =>
      (n % 2 === 0 ? node : other).accounts.login({ login: name, password }),
    )
    const changed = await node.accounts.changePassword(session, { current: password, next })
    if (!changed.ok) return expect.unreachable(changed.detail)
    for (const login of await Promise.all(logins))
      if (login.ok)
        await eventually(async () => expect(await other.accounts.validate(login.token)).toMatchObject({ ok: false }))
    const { context } = await node.actor('user', session.userId).state()
    expect(context['sessions']).toEqual([{ id: session.sessionId, expiresAt: expect.any(String) }])
  })
})

describe('a password that is set', () => {
  test('ends all sessions, ends a lockout, and says in the audit who set it', async () => {
    const admin = await node.accounts.register(
      { username: `${name}-root`, email: `${name}-root@example.org`, password },
      { roles: ['admin'] },
    )
    const user = await register(name)
    if (!admin.ok || !user.ok) return expect.unreachable('registered')
    const { token } = await signedIn()
    const root = await validated((await showFactor(node, await signedIn(`${name}-root`))).token)
    for (let n = 0; n < 6; n++) await node.accounts.login({ login: name, password: `wrong ${n}` })
    expect(await node.accounts.setPassword(user.userId, next, root)).toEqual({ ok: true })
    await eventually(async () => expect(await other.accounts.validate(token)).toMatchObject({ ok: false }))
    expect(await node.accounts.login({ login: name, password: next })).toMatchObject({ ok: true })
    const { entries } = await node.log.audit({ actor: actorRef('user', user.userId), limit: 100 }).then(page => ({
      entries: page.events,
    }))
    expect(entries.find(({ type }) => type === 'user.password.changed')?.userId).toBe(admin.userId)
  })

  test('ends a lockout where the user signed in lately, and of whoever was signed in', async () => {
    const home = { ipAddress: '192.0.2.7', deviceId: 'laptop' }
    const user = await register(name)
    if (!user.ok) return expect.unreachable(user.detail)
    const login = (given: string) => node.accounts.login({ login: name, password: given }, home)
    const opened = await login(password)
    if (!opened.ok) return expect.unreachable(opened.detail)
    const session = await validated(opened.token)
    const change = (current: string) => node.accounts.changePassword(session, { current, next: `${next}, again` })
    for (let n = 0; n < 5; n++) expect(await change(`wrong ${n}`)).toMatchObject({ reason: 'invalid_credentials' })
    expect(await change(password)).toMatchObject({ reason: 'too_many_attempts' })
    for (let n = 0; n < 5; n++) expect(await login(`wrong ${n}`)).toMatchObject({ reason: 'invalid_credentials' })
    expect(await login(password)).toMatchObject({ reason: 'too_many_attempts' })
    expect(await node.accounts.setPassword(user.userId, next)).toEqual({ ok: true })
    const anew = await login(next)
    if (!anew.ok) return expect.unreachable(anew.detail)
    const shown = { current: next, next: `${next}, again` }
    expect(await node.accounts.changePassword(await validated(anew.token), shown)).toMatchObject({ ok: true })
  })

  test('is set by administrators for others, and by nobody else', async () => {
    const user = await register(name)
    if (!user.ok) return expect.unreachable(user.detail)
    const session = await validated((await signedIn()).token)
    expect(await node.accounts.setPassword(user.userId, next, session)).toMatchObject({ reason: 'forbidden' })
    expect(await node.accounts.setPassword(user.userId, next, { ...session, roles: ['admin'] })).toMatchObject({
      reason: 'forbidden',
    })
    expect(await node.accounts.setPassword(999_999, next)).toMatchObject({ reason: 'unknown_user' })
    await node.actor('user', user.userId).send({ type: 'user.deactivated' })
    expect(await node.accounts.setPassword(user.userId, next)).toMatchObject({ reason: 'unknown_user' })
    expect(await node.accounts.changePassword(session, { current: password, next })).toMatchObject({
      reason: 'invalid_session',
    })
  })
})
