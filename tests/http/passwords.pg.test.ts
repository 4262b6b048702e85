/** Opening accounts and choosing passwords over HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { showFactor } from '../support/accounts.ts'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

const password = 'correct horse battery staple'
const next = 'another horse, another battery'

let closed: TestRuntime
let open: TestRuntime
beforeAll(async () => {
  ;[closed, open] = await Promise.all([startRuntime(), startRuntime({ accounts: { registration: 'open' } })])
})
afterAll(() => Promise.all([closed.stop(), open.stop()]))

let name: string
let names = 0
beforeEach(() => {
  name = `user${++names}`
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const NO_TOKEN = { authorization: '' }

function post(runtime: TestRuntime, path: string, body: object, headers: Record<string, string> = NO_TOKEN) {
  return runtime.client.request('POST', path, { body, headers })
}

function register(runtime: TestRuntime, headers?: Record<string, string>, more: object = {}): Promise<Answer> {
  return post(
    runtime,
    '/api/auth/register',
    { username: name, email: `${name}@example.org`, password, ...more },
    headers,
  )
}

async function signIn(runtime: TestRuntime, login = name, secret = password): Promise<string> {
  const answer = await post(runtime, '/api/auth/login', { login, password: secret })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return (answer.body as { token: string }).token
}

async function administrator(runtime: TestRuntime): Promise<string> {
  const username = `root${++names}`
  await runtime.node.accounts.register({ username, email: `${username}@example.org`, password }, { roles: ['admin'] })
  return signIn(runtime, username)
}

async function withFactor(runtime: TestRuntime, token: string): Promise<string> {
  const session = await runtime.node.accounts.validate(token)
  return session.ok ? (await showFactor(runtime.node, { ...session, token })).token : expect.unreachable(session.detail)
}

describe('registration', () => {
  test('is for who runs the node, and for administrators', async () => {
    expect(await register(closed)).toMatchObject({ status: 401, body: { code: 'invalid_session' } })
    expect(await register(closed, bearer('rss_1_nonsense'))).toMatchObject({ status: 401 })
    expect(await register(closed, bearer(TOKEN))).toMatchObject({
      status: 201,
      body: { userId: expect.any(Number), username: name },
    })
    const viewer = await signIn(closed)
    name += 'b'
    expect(await register(closed, bearer(viewer))).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    const made = await register(closed, bearer(await administrator(closed)))
    expect(made).toMatchObject({ status: 201 })
    const { userId } = made.body as { userId: number }
    const { context } = await closed.node.actor('user', userId).state()
    expect(context['roles']).toEqual(['viewer'])
  })

  test('is for anybody where the node says so, so often from one address, and makes nobody more than a viewer', async () => {
    expect(await register(open, NO_TOKEN, { roles: ['admin'] })).toMatchObject({ status: 400 })
    expect(await register(open)).toMatchObject({ status: 201 })
    expect(await register(open)).toMatchObject({ status: 409, body: { code: 'taken' } })
    let last: Answer
    do {
      name = `crowd${++names}`
      last = await register(open)
    } while (last.status === 201)
    expect(last).toMatchObject({ status: 429, body: { code: 'too_many_attempts', retryable: true } })
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0)
  })

  test.each([
    ['unusable_name', 422, { username: 'p\u0430ypal' }],
    ['invalid_input', 400, { username: 'ada\u0000' }],
    ['unusable_password', 422, { password: 'qwertyuiopasdfghjkl' }],
    ['invalid_input', 400, { email: 'no address' }],
    ['invalid_input', 400, { email: 'ada@ex\u0000ample.org' }],
    ['invalid_input', 400, { password: 'x'.repeat(1_025) }],
    ['invalid_input', 400, { admin: true }],
    ['invalid_event', 422, { email: "o'neill@example.org" }],
  ])('refuses as %s, repeating no value', async (code, status, more) => {
    const answer = await register(closed, bearer(TOKEN), more)
    expect(answer).toMatchObject({ status, body: { code } })
    for (const value of Object.values(more))
      if (typeof value === 'string')
        expect(JSON.stringify(answer.body)).not.toContain(JSON.stringify(value).slice(1, -1))
  })
})

describe('a password', () => {
  test('is changed by who has the present one, and the session goes on under another token', async () => {
    await register(closed, bearer(TOKEN))
    const [mine, elsewhere] = [await signIn(closed), await signIn(closed)]
    const path = '/api/auth/password'
    expect(await post(closed, path, { current: password, next })).toMatchObject({ status: 401 })
    expect(await post(closed, path, { current: next, next: password }, bearer(mine))).toMatchObject({
      status: 401,
      body: { code: 'invalid_credentials' },
    })
    const short = await post(closed, path, { current: password, next: 'short' }, bearer(mine))
    expect(short).toMatchObject({
      status: 422,
      body: { code: 'unusable_password', detail: expect.stringContaining('15') },
    })
    const changed = await post(closed, path, { current: password, next }, bearer(mine))
    expect(changed).toMatchObject({ status: 200, body: { token: expect.stringMatching(/^rss_/) } })
    const verify = (token: string) => closed.client.request('GET', '/api/auth/verify', { headers: bearer(token) })
    expect((await verify((changed.body as { token: string }).token)).status).toBe(200)
    expect((await verify(mine)).status).toBe(401)
    expect((await verify(elsewhere)).status).toBe(401)
    await signIn(closed, name, next)
  })

  test('of a session in a cookie is changed without the token showing', async () => {
    await register(closed, bearer(TOKEN))
    const signedIn = await post(closed, '/api/auth/login', { login: name, password, cookie: true })
    const cookie = String(signedIn.headers['set-cookie']).split(';')[0] ?? ''
    const change = (headers: Record<string, string>) =>
      closed.client.request('POST', '/api/auth/password', { body: { current: password, next }, headers })
    const withCookie = { authorization: '', cookie }
    expect(await change({ ...withCookie, 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 400 })
    const changed = await change({ ...withCookie, 'sec-fetch-site': 'same-origin' })
    expect(changed).toMatchObject({ status: 200 })
    expect(changed.body).not.toHaveProperty('token')
    const [fresh = ''] = String(changed.headers['set-cookie']).split(';')
    expect(fresh).toMatch(/^__Host-rootstream-session=rss_/)
    expect(fresh).not.toBe(cookie)
  })

  test('is set by who runs the node and by administrators, for others', async () => {
    const made = await register(closed, bearer(TOKEN))
    const { userId } = made.body as { userId: number }
    const viewer = await signIn(closed)
    const path = `/api/users/${userId}/password`
    expect(await post(closed, path, { next })).toMatchObject({ status: 401 })
    expect(await post(closed, path, { next }, bearer(viewer))).toMatchObject({ status: 403 })
    const admin = await administrator(closed)
    expect(await post(closed, path, { next }, bearer(admin))).toMatchObject({
      ...{ status: 403, body: { code: 'factor_required' } },
    })
    expect(await post(closed, path, { next }, bearer(await withFactor(closed, admin)))).toMatchObject({ status: 204 })
    await signIn(closed, name, next)
    expect(await post(closed, path, { next: password }, bearer(TOKEN))).toMatchObject({ status: 204 })
    expect(await post(closed, '/api/users/99999/password', { next }, bearer(TOKEN))).toMatchObject({ status: 404 })
    for (const spelling of [
      `0x${userId.toString(16)}`,
      `0${userId}`,
      `${userId}.0`,
      `${userId}e0`,
      `+${userId}`,
      `%20${userId}`,
    ])
      expect(await post(closed, `/api/users/${spelling}/password`, { next }, bearer(TOKEN)), spelling).toMatchObject({
        status: 400,
      })
    expect(await post(closed, '/api/users/0/password', { next }, bearer(TOKEN))).toMatchObject({ status: 400 })
  })
})

test('a lockout says when to come back, to whoever is asked for', async () => {
  await register(closed, bearer(TOKEN))
  const answers = new Map<string, Answer>()
  for (const login of [name, 'nobody-of-that-name']) {
    let answer: Answer
    do answer = await post(closed, '/api/auth/login', { login, password: 'wrong' })
    while (answer.status === 401)
    answers.set(login, answer)
  }
  const [known, unknown] = answers.values()
  expect(known).toMatchObject({ status: 429, body: { code: 'too_many_attempts', retryable: true } })
  expect(known?.body).toEqual(unknown?.body)
  expect(Number(known?.headers['retry-after'])).toBeLessThanOrEqual(30)
})
