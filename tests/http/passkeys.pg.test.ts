/** Passkeys and trusted devices over HTTP: cookies and their bounds, other sites, junk, and what is told to nobody. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { granted, PASSWORD } from '../accounts/granted.ts'
import { Authenticator, created, signed } from '../support/authenticator.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

const ORIGIN = 'https://stream.example.org'
const DEVICE = /^__Host-rootstream-device=(rsd_\d+_[\w-]{43}); Path=\/; Secure; HttpOnly; SameSite=Strict; Expires=/

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime({ accounts: { publicUrl: ORIGIN } })
})
afterAll(() => runtime.stop())

interface Sent {
  readonly token?: unknown
  readonly cookie?: string
  readonly origin?: string
}

async function post(path: string, body: object | undefined, { token, cookie, origin }: Sent = {}) {
  const answer = await fetch(runtime.server.url + path, {
    method: 'POST',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cookie === undefined ? {} : { cookie, origin: origin ?? runtime.server.url }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const parsed = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
  return { status: answer.status, body: parsed, text, cookies: answer.headers.getSetCookie() }
}

function cookieIn(cookies: readonly string[], name: string): string {
  return (
    cookies.find(cookie => cookie.startsWith(`__Host-rootstream-${name}=`))?.split(';')[0] ?? expect.unreachable(name)
  )
}

async function withPasskey(username: string) {
  const { accounts } = runtime.node
  granted(await accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
  const device = new Authenticator(ORIGIN)
  const { body } = await post('/api/auth/login', { login: username, password: PASSWORD })
  const begun = await post('/api/auth/passkeys/register/options', {}, body)
  const registered = await post(
    '/api/auth/passkeys/register',
    { response: created(device, begun.body['options']) },
    body,
  )
  expect(registered).toMatchObject({ status: 200, body: { backupCodes: expect.any(Array) } })
  return { device, token: registered.body['token'], passkeyId: registered.body['passkeyId'] }
}

async function shown(device: Authenticator, sent: Sent, more: object = {}) {
  const begun = await post('/api/auth/passkeys/verify/options', undefined, sent)
  expect(begun.status).toBe(200)
  return post('/api/auth/passkeys/verify', { response: signed(device, begun.body['options']), ...more }, sent)
}

test('a browser keeps session and device in cookies, and no script sees either token', async () => {
  const { device } = await withPasskey('ada')
  const login = { login: 'ada', password: PASSWORD, cookie: true }
  const pending = await post('/api/auth/login', login)
  const verified = await shown(device, { cookie: cookieIn(pending.cookies, 'session') }, { trustDevice: true })
  expect(verified.text).not.toMatch(/rs[sd]_/)
  expect(verified.cookies).toHaveLength(2)
  expect(verified.cookies).toContainEqual(expect.stringMatching(DEVICE))
  const trusted = cookieIn(verified.cookies, 'device')

  const spared = await post('/api/auth/login', login, { cookie: trusted })
  expect(spared.body).not.toHaveProperty('pending')
  expect(spared.text).not.toMatch(/rs[sd]_/)
  expect(cookieIn(spared.cookies, 'device')).not.toBe(trusted)

  // Two of them: one was planted.
  const next = cookieIn(spared.cookies, 'device')
  const planted = await post('/api/auth/login', login, { cookie: `${next}; __Host-rootstream-device=rsd_1_x` })
  expect(planted.body).toMatchObject({ pending: true })
  const session = { cookie: cookieIn(spared.cookies, 'session') }
  const revoked = await post('/api/auth/devices/revoke', undefined, session)
  expect(revoked).toMatchObject({ status: 200, body: { revoked: 1 } })
  expect(revoked.cookies).toEqual([expect.stringMatching(/^__Host-rootstream-device=; .*Max-Age=0$/)])
  expect((await post('/api/auth/login', login, { cookie: next })).body).toMatchObject({ pending: true })
})

test('a client without cookies gets its device token in the answer, also after a code', async () => {
  const { device } = await withPasskey('bob')
  const login = { login: 'bob', password: PASSWORD }
  const pending = (await post('/api/auth/login', login)).body
  const verified = await shown(device, pending, { trustDevice: 'the phone' })
  expect(verified.cookies).toEqual([])
  const spared = await post('/api/auth/login', { ...login, deviceToken: verified.body['deviceToken'] })
  expect(spared).toMatchObject({ body: { deviceToken: expect.stringMatching(/^rsd_/) }, cookies: [] })
  expect(spared.body).not.toHaveProperty('pending')
  const untrusted = await post('/api/auth/devices/trust', {}, spared.body)
  expect(untrusted).toMatchObject({ status: 403, body: { code: 'factor_required' } })
})

test('a page of another site can use no cookie for any of it', async () => {
  const { device } = await withPasskey('eve')
  const pending = await post('/api/auth/login', { login: 'eve', password: PASSWORD, cookie: true })
  const { cookies } = await shown(device, { cookie: cookieIn(pending.cookies, 'session') })
  const sent = { cookie: cookieIn(cookies, 'session'), origin: 'https://evil.example' }
  for (const [path, body] of [
    ['passkeys/register/options', {}],
    ['passkeys/verify/options', undefined],
    ['passkeys/remove', { id: 'AAAA' }],
    ['passkeys/rename', { id: 'AAAA', label: 'x' }],
    ['devices/trust', {}],
    ['devices/revoke', undefined],
    ['devices/1/revoke', undefined],
  ] as const)
    expect(await post(`/api/auth/${path}`, body, sent), path).toMatchObject({ status: 400 })
})

describe('what is no answer of an authenticator', () => {
  const good = { id: 'AAAA', response: { clientDataJSON: 'AAAA', authenticatorData: 'AAAA', signature: 'AAAA' } }
  const bad: Record<string, [number, object]> = {
    'has no answer': [400, {}],
    'is a text': [400, { response: 'x' }],
    'has a number for a signature': [400, { response: { ...good, response: { ...good.response, signature: 1 } } }],
    'has padding': [400, { response: { ...good, id: 'AAA=' } }],
    'has another alphabet': [400, { response: { ...good, id: 'AA+/' } }],
    'has NUL in it': [400, { response: { ...good, id: 'A\0A' } }],
    'is too long': [400, { response: { ...good, response: { ...good.response, clientDataJSON: 'A'.repeat(8_193) } } }],
    'is larger than a body may be': [413, { response: { ...good, id: 'A'.repeat(2_000_000) } }],
    'has a field nobody knows': [400, { response: good, admin: true }],
    'decodes to nothing': [401, { response: good }],
  }

  test.each(Object.entries(bad))('%s', async (_, [status, body]) => {
    expect(await post('/api/auth/passkeys/login', body)).toMatchObject({ status })
  })

  test('is refused whole where it is cut at any byte', async () => {
    const { device } = await withPasskey('kim')
    const begun = await post('/api/auth/passkeys/login/options', undefined)
    const whole = signed(device, begun.body['options'])
    const { authenticatorData } = whole.response
    for (let length = 1; length < authenticatorData.length; length += 4) {
      const response = {
        ...whole,
        response: { ...whole.response, authenticatorData: authenticatorData.slice(0, length) },
      }
      expect(await post('/api/auth/passkeys/login', { response })).toMatchObject({
        status: 401,
        body: { code: 'invalid_passkey' },
      })
    }
  })
})

test('a label has no control characters', async () => {
  const { token, passkeyId: id } = await withPasskey('joe')
  for (const label of ['', 'a\nb', 'a\0b', '\u001b[31m', 'x'.repeat(101)])
    expect(await post('/api/auth/passkeys/rename', { id, label }, { token }), label).toMatchObject({ status: 400 })
  expect(await post('/api/auth/passkeys/rename', { id, label: 'Schlüssel 🔑' }, { token })).toMatchObject({
    status: 204,
  })
})

test('no token and no hash of a device is told to whoever holds the token of the node', async () => {
  const { device } = await withPasskey('sam')
  const pending = (await post('/api/auth/login', { login: 'sam', password: PASSWORD })).body
  const { deviceToken } = (await shown(device, pending, { trustDevice: true })).body
  const id = String(deviceToken).split('_')[1]
  const hidden = { familyHash: '***', row: { token_hash: '***' } }
  const view = await runtime.client.request('GET', `/v1/actors/trusted-device/${id}`)
  expect(view).toMatchObject({ status: 200, body: { state: 'trusted', context: hidden } })
  const events = await runtime.client.request('GET', `/v1/actors/trusted-device/${id}/events`)
  expect(events).toMatchObject({ status: 200, body: { events: [{ data: { familyHash: '***', tokenHash: '***' } }] } })
})

test('without a public address all of it says what to set', async () => {
  const nowhere = await startRuntime()
  try {
    const answer = await fetch(`${nowhere.server.url}/api/auth/passkeys/login/options`, { method: 'POST' })
    expect(await answer.json()).toMatchObject({
      status: 404,
      detail: expect.stringContaining('Set ROOTSTREAM_PUBLIC_URL'),
    })
  } finally {
    await nowhere.stop()
  }
})
