/** Sessions over HTTP: tokens in bodies and cookies, who is signed in where, and who may end that. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenedSession } from '../../src/accounts/sessions.ts'
import { showFactor } from '../support/accounts.ts'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

const password = 'correct horse battery staple'
let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime({ trustedProxies: ['127.0.0.1'] })
})
afterAll(() => runtime.stop())

let users = 0
async function user(): Promise<{ userId: number; login: string }> {
  const login = `user${++users}`
  const made = await runtime.node.accounts.register({ username: login, email: `${login}@example.org`, password })
  return made.ok ? { userId: made.userId, login } : expect.unreachable(made.detail)
}

async function signedIn(userId: number): Promise<OpenedSession> {
  const session = await runtime.node.accounts.createSession(userId)
  return session.ok ? session : expect.unreachable(session.detail)
}

function ask(method: string, route: string, headers: Record<string, string>, body?: object): Promise<Answer> {
  return runtime.client.request(method, route, { headers, ...(body === undefined ? {} : { body }) })
}

const as = (token: string) => ({ authorization: `Bearer ${token}` })

test('a token is taken whatever the letter case of its scheme, and goes before a cookie', async () => {
  const [mine, other] = [await signedIn((await user()).userId), await signedIn((await user()).userId)]
  const cookie = `__Host-rootstream-session=${other.token}`
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const headers = { authorization: `${scheme} ${mine.token}`, cookie, 'sec-fetch-site': 'same-origin' }
    expect((await ask('GET', '/api/auth/verify', headers)).body).toMatchObject({ userId: mine.userId })
  }
  const operator = await ask('GET', '/v1/projections', { authorization: `bearer ${TOKEN}` })
  expect(operator.status).toBe(200)
})

/** What a browser keeps of the answers. */
function jar() {
  const cookies = new Map<string, string>()
  return {
    cookies,
    headers: (more: Record<string, string> = {}) => ({
      authorization: '',
      cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      'sec-fetch-site': 'same-origin',
      ...more,
    }),
    keep: ({ headers }: Answer): readonly string[] => {
      const set = headers['set-cookie'] ?? []
      for (const cookie of set) {
        const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=')
        if (cookie.includes('Max-Age=0')) cookies.delete(name)
        else cookies.set(name, value)
      }
      return set
    },
  }
}

describe('tokens', () => {
  test('of a remembered login are kept in cookies no script and no other site gets at', async () => {
    const { login } = await user()
    const browser = jar()
    const answer = await ask('POST', '/api/auth/login', {}, { login, password, remember: true, cookie: true })
    expect(answer.status).toBe(200)
    const [session = '', remember = '', ...others] = browser.keep(answer)
    expect(others).toEqual([])
    expect(session).toMatch(/^__Host-rootstream-session=rss_\d+_\S+; Path=\/; Secure; HttpOnly; SameSite=Lax; Expires=/)
    expect(remember).toMatch(/^__Host-rootstream-remember=rsr_\d+_\S+; Path=\/; Secure; HttpOnly; SameSite=Strict; Exp/)
    expect(JSON.stringify(answer.body)).not.toMatch(/rs[rs]_/)

    const before = new Map(browser.cookies)
    browser.cookies.delete('__Host-rootstream-session')
    expect((await ask('GET', '/api/auth/verify', browser.headers())).status).toBe(401)
    const elsewhere = browser.headers({ 'sec-fetch-site': 'cross-site' })
    expect((await ask('POST', '/api/auth/refresh', elsewhere, {})).status).toBe(400)
    const refreshed = await ask('POST', '/api/auth/refresh', browser.headers(), {})
    expect(refreshed.status).toBe(200)
    browser.keep(refreshed)
    for (const [name, value] of before) expect(browser.cookies.get(name)).not.toBe(value)
    expect((await ask('GET', '/api/auth/verify', browser.headers())).status).toBe(200)
    browser.keep(await ask('POST', '/api/auth/logout', browser.headers()))
    expect(browser.cookies.size).toBe(0)
    expect((await ask('GET', '/api/auth/verify', { authorization: '', cookie: session })).status).toBe(401)
  })

  test('of cookies are never answered to a script, whatever it asks with them', async () => {
    const { login } = await user()
    const browser = jar()
    browser.keep(await ask('POST', '/api/auth/login', {}, { login, password, remember: true, cookie: true }))
    const own = browser.cookies.get('__Host-rootstream-remember') ?? ''
    for (const rememberToken of ['x', `rsr_1_${'A'.repeat(43)}_${'A'.repeat(43)}`, own]) {
      const answer = await ask('POST', '/api/auth/refresh', browser.headers(), { rememberToken })
      expect(answer.status).toBe(200)
      expect(JSON.stringify(answer.body)).not.toMatch(/rs[rs]_/)
      expect(browser.keep(answer).length).toBeGreaterThan(0)
    }
    expect((await ask('GET', '/api/auth/verify', browser.headers())).status).toBe(200)
  })

  test('of a browser that signs in again are over, on the server too (ASVS 7.2.4)', async () => {
    const { login } = await user()
    const browser = jar()
    const signIn = () =>
      ask('POST', '/api/auth/login', browser.headers(), { login, password, remember: true, cookie: true })
    browser.keep(await signIn())
    const copied = new Map(browser.cookies)
    const elsewhere = browser.headers({ 'sec-fetch-site': 'cross-site' })
    expect((await ask('POST', '/api/auth/login', elsewhere, { login, password, cookie: true })).status).toBe(400)
    const wrong = { login, password: 'wrong horse battery staple', cookie: true }
    expect((await ask('POST', '/api/auth/login', browser.headers(), wrong)).status).toBe(401)
    expect((await ask('GET', '/api/auth/verify', browser.headers())).status, 'a slip ends nothing').toBe(200)
    browser.keep(await signIn())
    expect((await ask('GET', '/api/auth/verify', browser.headers())).status).toBe(200)
    for (const [name, value] of copied) {
      const headers = { authorization: '', cookie: `${name}=${value}`, 'sec-fetch-site': 'same-origin' }
      expect((await ask('POST', '/api/auth/refresh', headers, {})).status, name).toBe(401)
    }
  })

  test('of a remembered session are void after a sign-out by the one cookie that is left of it', async () => {
    const { login } = await user()
    const browser = jar()
    browser.keep(await ask('POST', '/api/auth/login', {}, { login, password, remember: true, cookie: true }))
    // As browsers do with one whose time is up.
    browser.cookies.delete('__Host-rootstream-session')
    const copied = browser.headers()
    const elsewhere = browser.headers({ 'sec-fetch-site': 'same-site' })
    expect((await ask('POST', '/api/auth/logout', elsewhere)).status).toBe(400)
    const out = await ask('POST', '/api/auth/logout', browser.headers())
    expect(out.status).toBe(204)
    browser.keep(out)
    expect(browser.cookies.size).toBe(0)
    expect((await ask('POST', '/api/auth/refresh', copied, {})).status).toBe(401)
  })

  test('of a remembered session are both replaced where its password is shown again, in its cookies', async () => {
    const { login } = await user()
    const browser = jar()
    browser.keep(await ask('POST', '/api/auth/login', {}, { login, password, remember: true, cookie: true }))
    const next = 'another horse, another battery'
    for (const [path, body] of [
      ['/api/auth/confirm', { password }],
      ['/api/auth/password', { current: password, next }],
    ] as const) {
      const before = new Map(browser.cookies)
      const answer = await ask('POST', path, browser.headers(), body)
      expect(answer.status, path).toBe(200)
      expect(JSON.stringify(answer.body)).not.toMatch(/rs[rs]_/)
      expect(browser.keep(answer)).toHaveLength(2)
      for (const [name, value] of before) expect(browser.cookies.get(name)).not.toBe(value)
    }
    browser.cookies.delete('__Host-rootstream-session')
    expect((await ask('POST', '/api/auth/refresh', browser.headers(), {})).status).toBe(200)
  })

  test('of a program are answered in bodies', async () => {
    const { login } = await user()
    const { body } = await ask('POST', '/api/auth/login', {}, { login, password, remember: true })
    const { token, rememberToken } = body as { token: string; rememberToken: string }
    const refreshed = await ask('POST', '/api/auth/refresh', as(token), {})
    expect(refreshed).toMatchObject({ status: 200, body: { token: expect.stringMatching(/^rss_/) } })
    expect(refreshed.headers['set-cookie']).toBeUndefined()
    const resumed = await ask('POST', '/api/auth/refresh', { authorization: '' }, { rememberToken })
    expect(resumed).toMatchObject({ status: 200, body: { rememberToken: expect.stringMatching(/^rsr_/) } })
    expect((await ask('POST', '/api/auth/refresh', { authorization: '' }, {})).status).toBe(401)
  })

  test('of a cookie that was planted beside the own one open nothing (fixation)', async () => {
    const attacker = await signedIn((await user()).userId)
    const victim = await user()
    const browser = jar()
    browser.cookies.set('__Host-rootstream-session', attacker.token)
    const login = await ask('POST', '/api/auth/login', browser.headers(), {
      ...{ login: victim.login, password, cookie: true },
    })
    const [set = ''] = browser.keep(login)
    expect(set).not.toContain(attacker.token)
    expect((await ask('GET', '/api/auth/verify', browser.headers())).body).toMatchObject({ userId: victim.userId })
    expect(await runtime.node.accounts.validate(attacker.token), 'what was replaced is over').toMatchObject({
      ok: false,
    })
    const two = `${set.split(';')[0]}; __Host-rootstream-session=${attacker.token}`
    expect((await ask('GET', '/api/auth/verify', { authorization: '', cookie: two })).status).toBe(401)
  })

  test('are taken in one spelling alone', async () => {
    const { token } = await signedIn((await user()).userId)
    const last = token.at(-1) ?? ''
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // Decoders pass over the last two bits.
    const sibling = alphabet[alphabet.indexOf(last) + 1] ?? ''
    for (const junk of [
      token.slice(0, -1) + sibling,
      `${token}=`,
      `${token}.`,
      token.replace('rss', 'RSS'),
      token.replace('rss_', 'rss_0'),
      token.slice(0, -1),
    ])
      expect((await ask('GET', '/api/auth/verify', as(junk))).status, junk).toBe(401)
    expect((await ask('GET', '/api/auth/verify', as(token))).status).toBe(200)
  })

  test('stolen and shown from another device are not enough', async () => {
    const { login } = await user()
    const device = { 'x-device-id': 'laptop', 'x-device-fingerprint': 'canvas 1234, 1920x1080' }
    const { body } = await ask('POST', '/api/auth/login', device, { login, password })
    const { token } = body as { token: string }
    expect((await ask('GET', '/api/auth/verify', { ...as(token), ...device })).status).toBe(200)
    const thief = { ...device, 'x-device-fingerprint': 'canvas 9999, 1280x720' }
    expect(await ask('GET', '/api/auth/verify', { ...as(token), ...thief })).toMatchObject({
      status: 403,
      body: { code: 'factor_required' },
    })
    expect((await ask('POST', '/api/auth/refresh', { ...as(token), ...thief }, {})).status).toBe(403)
    expect((await ask('GET', '/api/sessions', as(token))).status).toBe(403)
    const wrong = await ask('POST', '/api/auth/confirm', { ...as(token), ...device }, { password: 'x'.repeat(15) })
    expect(wrong).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } })
    const fresh = await ask('POST', '/api/auth/confirm', { ...as(token), ...device }, { password })
    expect(fresh.status).toBe(200)
    expect((await ask('GET', '/api/auth/verify', { ...as(token), ...device })).status).toBe(401)
    const { token: next } = fresh.body as { token: string }
    expect((await ask('GET', '/api/auth/verify', { ...as(next), ...device })).status).toBe(200)
  })
})

describe('a user', () => {
  test('sees where they are signed in, and from which address a trusted proxy says', async () => {
    const { login } = await user()
    const headers = { 'user-agent': 'Firefox', 'x-device-id': 'laptop', 'x-forwarded-for': '1.1.1.1, 203.0.113.7' }
    const { body } = await ask('POST', '/api/auth/login', headers, { login, password })
    const { token, sessionId } = body as { token: string; sessionId: number }
    const seen = await ask('GET', '/api/sessions', { ...as(token), ...headers })
    expect(seen.body).toEqual({
      sessions: [
        {
          ...{ id: sessionId, current: true, deviceId: 'laptop', userAgent: 'Firefox', ipAddress: '203.0.113.7' },
          ...{ place: null, methods: ['password'], remembered: false, challenged: false },
          createdAt: expect.any(String),
          lastSeenAt: expect.any(String),
          expiresAt: expect.any(String),
        },
      ],
    })
  })

  test('ends one session, the others, all', async () => {
    const { userId } = await user()
    const [one, two, three] = [await signedIn(userId), await signedIn(userId), await signedIn(userId)]
    const open = async () => (await runtime.node.accounts.sessions(userId)).map(({ id }) => id)
    expect((await ask('POST', `/api/sessions/${two.sessionId}/revoke`, as(one.token))).status).toBe(204)
    expect(await open()).toEqual([three.sessionId, one.sessionId])
    expect((await ask('GET', '/api/auth/verify', as(two.token))).status).toBe(401)
    const others = await ask('POST', '/api/sessions/revoke', as(one.token), { which: 'others' })
    expect(others.body).toEqual({ ended: 2 })
    expect(await open()).toEqual([one.sessionId])
    expect((await ask('POST', '/api/sessions/revoke', as(one.token), { which: 'all' })).status).toBe(200)
    expect((await ask('GET', '/api/auth/verify', as(one.token))).status).toBe(401)
  })

  test('ends no session of another, and does not learn whether there is one', async () => {
    const [mine, other] = [await signedIn((await user()).userId), await signedIn((await user()).userId)]
    const answers = await Promise.all(
      [other.sessionId, 4_000_000].map(id => ask('POST', `/api/sessions/${id}/revoke`, as(mine.token))),
    )
    for (const answer of answers) expect(answer).toMatchObject({ status: 404, body: { code: 'unknown_session' } })
    expect(answers[0]?.body).toEqual(answers[1]?.body)
    expect((await ask('GET', '/api/auth/verify', as(other.token))).status).toBe(200)
    for (const id of ['0', '01', '-1', 'x', '9999999999', '1e3'])
      expect((await ask('POST', `/api/sessions/${id}/revoke`, as(mine.token))).status, id).toBe(400)
  })

  test('who is no admin sees and ends nothing of others; an admin with a fresh factor does, and the audit names them', async () => {
    const [viewer, victim, admin] = [await user(), await user(), await user()]
    await runtime.node.actor('user', admin.userId).send({ type: 'user.roles.changed', roles: ['admin'] })
    const [theirs, second] = [await signedIn(victim.userId), await signedIn(victim.userId)]
    const list = `/api/users/${victim.userId}/sessions`
    const asViewer = as((await signedIn(viewer.userId)).token)
    for (const answer of [await ask('GET', list, asViewer), await ask('POST', `${list}/revoke`, asViewer, {})])
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    const asAdmin = as((await showFactor(runtime.node, await signedIn(admin.userId))).token)
    expect((await ask('GET', list, asAdmin)).body).toMatchObject({ sessions: [{ current: false }, {}] })
    for (const nobody of ['/api/users/999999/sessions', '/api/users/2147483647/sessions'])
      expect(
        [await ask('GET', nobody, asAdmin), await ask('POST', `${nobody}/revoke`, asAdmin, {})],
        nobody,
      ).toMatchObject([{ status: 404 }, { status: 404 }])
    const { sessionId } = second
    expect((await ask('POST', `${list}/revoke`, asAdmin, { sessionId })).body).toEqual({ ended: 1 })
    expect((await ask('GET', '/api/auth/verify', as(theirs.token))).status).toBe(200)
    expect((await ask('POST', `${list}/revoke`, asAdmin, {})).status).toBe(200)
    expect((await ask('GET', '/api/auth/verify', as(theirs.token))).status).toBe(401)
    const { events } = await runtime.node.log.audit({ userId: admin.userId })
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['session.revoked', 'user.sessions.ended']))
  })
})
