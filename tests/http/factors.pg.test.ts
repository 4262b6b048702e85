/** Factors over HTTP: a login that waits for one, by bearer token and by cookie; enrolment; step-up; what is no code. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf, granted, PASSWORD } from '../accounts/granted.ts'
import { createStillClock, STEP_MS } from '../accounts/still-clock.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'
import { TEST_KEYS } from '../support/test-keys.ts'

const clock = createStillClock()

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime({ keys: TEST_KEYS, clock })
})
afterAll(() => runtime.stop())

type Json = Record<string, unknown>

async function call(path: string, options: { token?: string; cookie?: string; body?: unknown; origin?: string } = {}) {
  const { token, cookie, body, origin } = options
  const answer = await fetch(runtime.server.url + path, {
    method: body === undefined && !path.endsWith('/backup-codes') && !path.endsWith('/remove') ? 'GET' : 'POST',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cookie === undefined ? {} : { cookie, origin: origin ?? runtime.server.url }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: (text === '' ? null : JSON.parse(text)) as Json }
}

const register = async (username: string) =>
  granted(await runtime.node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
    .userId
const login = async (username: string, cookie = false) =>
  call('/api/auth/login', { body: { login: username, password: PASSWORD, cookie } })

/** Enrols by HTTP; the code of the step before confirms, so that the present one is still good. */
async function enrol(username: string) {
  const userId = await register(username)
  const token = String((await login(username)).body['token'])
  const enrolment = await call('/api/auth/mfa/totp/enrol', { token, body: {} })
  const secret = String(enrolment.body['secret'])
  const body = { code: codeOf(secret, clock.now() - STEP_MS) }
  const confirmed = await call('/api/auth/mfa/totp/confirm', { token, body })
  return { userId, secret, enrolment, confirmed, token: String(confirmed.body['token']) }
}

test('from the enrolment to a login that waits for a code', async () => {
  const { secret, enrolment, confirmed, token } = await enrol('ada')
  expect(enrolment).toMatchObject({
    status: 200,
    body: { uri: expect.stringContaining(secret), qr: expect.stringMatching(/^<svg/) },
  })
  expect(enrolment.headers.get('cache-control')).toBe('no-store')
  expect(confirmed).toMatchObject({ status: 200, body: { backupCodes: Array(10).fill(expect.any(String)) } })
  expect((await call('/api/auth/mfa', { token })).body).toEqual({
    factors: [
      { method: 'totp', enabled: true, createdAt: expect.any(String), lastUsedAt: null },
      { method: 'backup_codes', enabled: true, createdAt: expect.any(String), lastUsedAt: null, codesLeft: 10 },
    ],
  })
  const waiting = (await login('ada')).body
  expect(waiting).toMatchObject({ pending: true, factors: ['totp', 'backup_codes'] })
  const pendingToken = String(waiting['token'])
  expect(await call('/api/auth/verify', { token: pendingToken })).toMatchObject({ status: 401 })
  expect(await call('/api/auth/mfa', { token: pendingToken })).toMatchObject({ status: 401 })
  const wrong = await call('/api/auth/mfa/verify', { token: pendingToken, body: { method: 'totp', code: '000000' } })
  expect(wrong).toMatchObject({ status: 401, body: { code: 'invalid_code' } })
  const shown = await call('/api/auth/mfa/verify', {
    token: pendingToken,
    body: { method: 'totp', code: codeOf(secret, clock.now()) },
  })
  expect(shown).toMatchObject({ status: 200, body: { token: expect.any(String) } })
  expect(shown.body).not.toHaveProperty('pending')
  expect(await call('/api/auth/verify', { token: String(shown.body['token']) })).toMatchObject({
    status: 200,
    body: { methods: ['password', 'totp'], factorAt: expect.any(String) },
  })
})

test('a session in a cookie gets its new token in a cookie, and never in the answer; another site cannot make it show a factor', async () => {
  const { confirmed } = await enrol('bea')
  const [code] = confirmed.body['backupCodes'] as string[]
  const waiting = await login('bea', true)
  expect(waiting.body).not.toHaveProperty('token')
  const cookie = String(waiting.headers.get('set-cookie')?.split(';')[0])
  const body = { method: 'backup_codes', code }
  expect(await call('/api/auth/mfa/verify', { cookie, body, origin: 'https://evil.example' })).toMatchObject({
    status: 400,
  })
  const shown = await call('/api/auth/mfa/verify', { cookie, body })
  expect(shown).toMatchObject({ status: 200, body: { backupCodesLeft: 9 } })
  expect(shown.body).not.toHaveProperty('token')
  const next = String(shown.headers.get('set-cookie')?.split(';')[0])
  expect(next).not.toBe(cookie)
  expect(await call('/api/auth/verify', { cookie: next })).toMatchObject({ status: 200 })
  expect(await call('/api/auth/verify', { cookie })).toMatchObject({ status: 401 })
})

test('replacing the codes, removing the app, enrolling with another form of the QR code', async () => {
  const { token, userId } = await enrol('cy')
  expect(await call('/api/auth/mfa/totp/enrol', { token, body: {} })).toMatchObject({
    status: 409,
    body: { code: 'factor_exists' },
  })
  expect(await call('/api/auth/mfa/backup-codes', { token })).toMatchObject({
    status: 200,
    body: { backupCodes: Array(10).fill(expect.any(String)) },
  })
  expect(await call('/api/auth/mfa/totp/remove', { token })).toMatchObject({ status: 200, body: { removed: true } })
  expect(await call('/api/auth/mfa/backup-codes', { token })).toMatchObject({
    status: 403,
    body: { code: 'factor_required' },
  })
  expect(await call('/api/auth/mfa/password/remove', { token })).toMatchObject({ status: 400 })
  for (const [qr, form] of [
    ['png', /^data:image\/png;base64,/],
    ['terminal', /[▀▄█]/],
  ] as const)
    expect(await call('/api/auth/mfa/totp/enrol', { token, body: { qr } })).toMatchObject({
      status: 200,
      body: { qr: expect.stringMatching(form) },
    })
  expect(await runtime.node.accounts.factors(userId)).toMatchObject([{ enabled: false }])
})

test('a reset by an administrator, and by nobody else', async () => {
  const user = await enrol('dan')
  const admin = await enrol('root')
  const reset = (token: string, id: unknown = user.userId) => call(`/api/users/${id}/reset-mfa`, { token, body: {} })
  expect(await reset(user.token)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  await runtime.node.actor('user', admin.userId).send({ type: 'user.roles.changed', roles: ['admin'] })
  expect(await reset(admin.token)).toMatchObject({ status: 401 })
  const waiting = String((await login('root')).body['token'])
  const body = { method: 'totp', code: codeOf(admin.secret, clock.now()) }
  const token = String((await call('/api/auth/mfa/verify', { token: waiting, body })).body['token'])
  expect(await reset(token, 999_999)).toMatchObject({ status: 404 })
  for (const id of ['0', '-1', 'x', '1e3', '99999999999999999999', '9007199254740991'])
    expect((await reset(token, id)).status, id).toBe(400)
  expect(await reset(token)).toMatchObject({ status: 200, body: { removed: 2 } })
  expect(await call('/api/auth/verify', { token: user.token })).toMatchObject({ status: 401 })
  expect((await login('dan')).body).not.toHaveProperty('pending')
})

describe('what is no code', () => {
  let token: string
  beforeAll(async () => {
    await enrol('eve')
    token = String((await login('eve')).body['token'])
  })

  test.each([
    ['a number', 123_456],
    ['a list', ['123456']],
    ['an object', { $ne: '' }],
    ['null', null],
    ['true', true],
    ['nothing', ''],
    ['65 characters', '1'.repeat(65)],
  ])('%s is refused by its form', async (_, code) => {
    for (const [path, body] of [
      ['/api/auth/mfa/verify', { method: 'totp', code }],
      ['/api/auth/mfa/totp/confirm', { code }],
    ] as const)
      expect(await call(path, { token, body })).toMatchObject({ status: 400, body: { code: 'invalid_input' } })
  })

  test('wide digits, signs, NUL, lone surrogates, quotes: refused as any wrong code, until the budget is spent', async () => {
    const texts = [
      '１２３４５６',
      '+12345',
      '12345\\u0000',
      '\\ud800',
      "' or 1=1 --",
      '%31%32%33%34%35%36',
      '123456\\r\\nx: y',
    ]
    for (const text of texts) {
      const answer = await call('/api/auth/mfa/verify', { token, body: `{"method":"totp","code":"${text}"}` })
      expect([400, 401], text).toContain(answer.status)
      expect(answer.body['code'], text).toMatch(/^invalid_(?:code|input)$/)
    }
    for (let tries = 0; tries < 10; tries++)
      await call('/api/auth/mfa/verify', { token, body: { method: 'backup_codes', code: 'x' } })
    const spent = await call('/api/auth/mfa/verify', { token, body: { method: 'totp', code: '123456' } })
    expect(spent).toMatchObject({ status: 429, body: { code: 'too_many_attempts', retryable: true } })
    expect(Number(spent.headers.get('retry-after'))).toBeGreaterThan(60)
  })

  test('a method that there is not, a field too many, a token that opens nothing', async () => {
    const body = { method: 'totp', code: '123456' }
    for (const wrong of [
      { ...body, method: 'passkey' },
      { ...body, method: '__proto__' },
      { ...body, userId: 1 },
      {},
      [],
      'x',
    ])
      expect(await call('/api/auth/mfa/verify', { token, body: wrong })).toMatchObject({ status: 400 })
    for (const nobody of ['x', token.slice(0, -1), 'a-token-of-the-tests'])
      expect(await call('/api/auth/mfa/verify', { token: nobody, body })).toMatchObject({
        status: 401,
        body: { code: 'invalid_session' },
      })
    expect(await call('/api/auth/mfa/verify', { body })).toMatchObject({ status: 401 })
  })
})
