/** What the API document says of answers is true. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountProblem } from '../../src/http/problem.ts'
import { codeOf, granted, PASSWORD } from '../accounts/granted.ts'
import { STEP_MS } from '../accounts/still-clock.ts'
import { registerUser, signInAdmin } from '../support/accounts.ts'
import { Authenticator, created, signed } from '../support/authenticator.ts'
import type { TestRuntime } from '../support/runtime.ts'
import {
  clock,
  type Document,
  type DocumentedRuntime,
  type Json,
  ORIGIN,
  startDocumentedRuntime,
} from './documented-runtime.ts'
import { differences } from './json-schema.ts'

let runtime: TestRuntime
let document: Document
let expectDocumented: DocumentedRuntime['expectDocumented']
let undocumented: DocumentedRuntime['undocumented']
beforeAll(async () => {
  ;({ runtime, document, expectDocumented, undocumented } = await startDocumentedRuntime())
})
afterAll(() => runtime.stop())

describe('answers are as the document says', () => {
  test('of commands', async () => {
    const register = { type: 'user.registered', username: 'doc', email: 'doc@example.org', passwordHash: 'x' }
    const user = await expectDocumented('POST', '/v1/actors/{type}', 201, { params: { type: 'user' }, body: register })
    const create = { type: 'stream.created', userId: user['id'], name: 'x', streamKey: 'doc' }
    const stream = await expectDocumented('POST', '/v1/actors/{type}', 201, {
      params: { type: 'stream' },
      body: create,
    })
    await expectDocumented('POST', '/v1/actors/{type}', 409, { params: { type: 'stream' }, body: create })
    await expectDocumented('POST', '/v1/actors/{type}', 422, {
      params: { type: 'stream' },
      body: { ...create, name: '' },
    })
    await expectDocumented('POST', '/v1/actors/{type}', 422, {
      params: { type: 'stream' },
      body: { ...create, userId: 9_999 },
    })
    await expectDocumented('POST', '/v1/actors/{type}', 400, { params: { type: 'stream' }, body: [] })
    await expectDocumented('POST', '/v1/actors/{type}', 404, { params: { type: 'unheard' }, body: create })

    const params = { type: 'stream', id: stream['id'] }
    const route = '/v1/actors/{type}/{id}/commands'
    const headers = { 'idempotency-key': 'doc-1' }
    await expectDocumented('POST', route, 200, { params, headers, body: { type: 'stream.started' } })
    await expectDocumented('POST', route, 200, { params, headers, body: { type: 'stream.started' } })
    await expectDocumented('POST', route, 409, { params, headers, body: { type: 'stream.stopped' } })
    await expectDocumented('POST', route, 409, { params, body: { type: 'stream.started' } })
    await expectDocumented('POST', route, 412, {
      params,
      headers: { 'if-match': '"9"' },
      body: { type: 'stream.stopped' },
    })
    await expectDocumented('POST', '/v1/commands', 200, {
      body: {
        commands: [
          { actor: 'user', event: { ...register, username: 'doc2', email: 'doc2@example.org' } },
          { actor: `stream/${params.id}`, event: { type: 'viewer.joined' } },
          { actor: `stream/${params.id}`, event: { type: 'stream.started' } },
          { actor: `stream/${params.id}`, event: { type: 'stream.unheard' } },
        ],
      },
    })
    await expectDocumented('POST', '/v1/commands', 400, { body: { commands: [] } })
  })

  test('of accounts and passwords', async () => {
    const password = 'correct horse battery staple'
    const ada = { username: 'ada', email: 'ada@example.org', password }
    const made = await expectDocumented('POST', '/api/auth/register', 201, { body: ada })
    await expectDocumented('POST', '/api/auth/register', 409, { body: ada })
    await expectDocumented('POST', '/api/auth/register', 422, { body: { ...ada, password: 'short' } })
    await expectDocumented('POST', '/api/auth/register', 400, { body: { ...ada, email: 'ada' } })
    await expectDocumented('POST', '/api/auth/register', 401, { body: ada, headers: { authorization: '' } })
    const login = { login: 'ada', password }
    await expectDocumented('POST', '/api/auth/login', 401, { body: { ...login, password: 'wrong' } })
    const session = await expectDocumented('POST', '/api/auth/login', 200, { body: login })
    const headers = { authorization: `Bearer ${session['token']}` }
    await expectDocumented('GET', '/api/auth/verify', 200, { headers })
    const next = 'another horse, another battery'
    await expectDocumented('POST', '/api/auth/password', 401, { headers, body: { current: 'wrong', next } })
    await expectDocumented('POST', '/api/auth/password', 422, { headers, body: { current: password, next: 'short' } })
    await expectDocumented('POST', '/api/auth/password', 200, { headers, body: { current: password, next } })
    const route = '/api/users/{id}/password'
    const params = { id: made['userId'] }
    await expectDocumented('POST', route, 401, { params, headers: { authorization: '' }, body: { next: password } })
    await expectDocumented('POST', route, 204, { params, body: { next: password } })
    await expectDocumented('POST', route, 404, { params: { id: 4_242 }, body: { next: password } })
    for (let n = 0; n < 5; n++)
      await expectDocumented('POST', '/api/auth/login', 401, { body: { login: 'nobody', password } })
    await expectDocumented('POST', '/api/auth/login', 429, { body: { login: 'nobody', password } })
    await expectDocumented('POST', '/api/auth/logout', 204, { headers })
  })

  test('of questions', async () => {
    const params = { type: 'stream', id: 1 }
    const actor = '/v1/actors/{type}/{id}'
    await expectDocumented('GET', actor, 200, { params })
    await expectDocumented('GET', actor, 200, { params, query: '?at=2001-01-01T00:00:00Z' })
    await expectDocumented('GET', actor, 304, { params, headers: { 'if-none-match': '*' } })
    await expectDocumented('GET', actor, 404, { params: { type: 'stream', id: 4_242 } })
    await expectDocumented('GET', `${actor}/events`, 200, { params, query: '?limit=1' })
    await expectDocumented('GET', `${actor}/events`, 400, { params, query: '?limit=0' })
    await expectDocumented('GET', `${actor}/snapshot`, 200, { params })
    await expectDocumented('GET', `${actor}/snapshot`, 304, { params, headers: { 'if-none-match': '*' } })
    await expectDocumented('GET', `${actor}/delta`, 200, { params, query: '?since=0' })
    await expectDocumented('GET', `${actor}/delta`, 200, { params, query: '?since=1' })
    await expectDocumented('GET', `${actor}/delta`, 404, { params, query: '?since=4242' })
    await expectDocumented('GET', '/v1/actors', 200, { query: '?type=stream&limit=1' })
    await expectDocumented('GET', '/v1/actors', 400)
    await expectDocumented('GET', '/v1/audit', 200, { query: '?limit=2' })
    await expectDocumented('GET', '/v1/audit', 401, { headers: { authorization: '' } })
    await expectDocumented('GET', '/v1/projections', 200)
    await expectDocumented('GET', '/v1/events/stream', 400, { query: '?topic=.' })
    await expectDocumented('GET', '/health', 200)
    await expectDocumented('GET', '/ready', 200)
    await expectDocumented('GET', '/openapi.json', 200)
  })

  test('of sessions', async () => {
    const password = 'correct horse battery staple'
    const made = await runtime.node.accounts.register({ username: 'doc3', email: 'doc3@example.org', password })
    if (!made.ok) return expect.unreachable(made.detail)
    const { node } = runtime
    await node.actor('user', made.userId).send({ type: 'user.roles.changed', roles: ['admin'] })
    const login = { login: 'doc3', password, remember: true }
    const opened = await expectDocumented('POST', '/api/auth/login', 200, { body: login })
    await expectDocumented('POST', '/api/auth/login', 401, { body: { ...login, password: 'x' } })
    const headers = { authorization: `Bearer ${opened['token']}` }
    const body = { rememberToken: opened['rememberToken'] }
    await expectDocumented('GET', '/api/auth/verify', 200, { headers })
    await expectDocumented('POST', '/api/auth/refresh', 200, { headers: { authorization: '' }, body })
    await expectDocumented('POST', '/api/auth/refresh', 401, { headers: { authorization: '' }, body: {} })
    const confirmed = await expectDocumented('POST', '/api/auth/confirm', 200, { headers, body: { password } })
    await expectDocumented('POST', '/api/auth/confirm', 401, { headers, body: { password: 'x' } })
    const now = { authorization: `Bearer ${confirmed['token']}` }
    await expectDocumented('GET', '/api/sessions', 200, { headers: now })
    await expectDocumented('GET', '/api/sessions', 401, { headers })
    const params = { id: made.userId }
    const admin = await signInAdmin(node, 'doc4')
    const fresh = { authorization: `Bearer ${admin.token}` }
    await expectDocumented('GET', '/api/users/{id}/sessions', 200, { headers: fresh, params })
    const unknown = { sessionId: 4_242 }
    await expectDocumented('POST', '/api/users/{id}/sessions/revoke', 404, { headers: fresh, params, body: unknown })
    await expectDocumented('POST', '/api/sessions/{id}/revoke', 404, { headers: now, params: { id: 4_242 } })
    await expectDocumented('POST', '/api/sessions/revoke', 200, { headers: now, body: { which: 'others' } })
    await expectDocumented('POST', '/api/users/{id}/sessions/revoke', 200, { headers: fresh, params, body: {} })
    await expectDocumented('POST', '/api/auth/logout', 204, { headers: fresh })
    const valid = { userId: made.userId, factorAt: null, authenticatedAt: null } as never
    const stale = await node.accounts.requireFresh(valid)
    const problem = { ...accountProblem(stale ?? expect.unreachable('fresh')) }
    const schema = document.components.schemas['AccountRefusal'] ?? {}
    expect(differences(problem, schema, document)).toEqual([])
  })

  test('of factors', async () => {
    const { accounts } = runtime.node
    granted(await accounts.register({ username: 'mfa', email: 'mfa@example.org', password: PASSWORD }))
    const { token } = granted(await accounts.login({ login: 'mfa', password: PASSWORD }))
    const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } })
    const enrolment = await expectDocumented('POST', '/api/auth/mfa/totp/enrol', 200, { ...bearer(token), body: {} })
    const secret = String(enrolment['secret'])
    const confirm = { code: codeOf(secret, clock.now() - STEP_MS) }
    const confirmed = await expectDocumented('POST', '/api/auth/mfa/totp/confirm', 200, {
      ...bearer(token),
      body: confirm,
    })
    const headers = { authorization: `Bearer ${confirmed['token']}` }
    await expectDocumented('POST', '/api/auth/mfa/totp/enrol', 409, { headers, body: {} })
    await expectDocumented('GET', '/api/auth/mfa', 200, { headers })
    await expectDocumented('GET', '/api/auth/mfa', 401)
    await expectDocumented('POST', '/api/auth/mfa/backup-codes', 200, { headers })
    await expectDocumented('POST', '/api/users/{id}/reset-mfa', 403, { headers, params: { id: 1 } })
    const login = { login: 'mfa', password: PASSWORD }
    const waiting = await expectDocumented('POST', '/api/auth/login', 200, { body: login })
    const pending = bearer(String(waiting['token']))
    const body = { method: 'totp', code: codeOf(secret, clock.now()) }
    await expectDocumented('POST', '/api/auth/mfa/verify', 401, { ...pending, body: { ...body, code: '0' } })
    await expectDocumented('POST', '/api/auth/mfa/verify', 400, { ...pending, body: { ...body, code: 0 } })
    await expectDocumented('POST', '/api/auth/mfa/verify', 200, { ...pending, body })
    await expectDocumented('POST', '/api/auth/mfa/{method}/remove', 200, { headers, params: { method: 'totp' } })
  })

  test('of passkeys and trusted devices', async () => {
    const { accounts } = runtime.node
    const device = new Authenticator(ORIGIN)
    granted(await accounts.register({ username: 'key', email: 'key@example.org', password: PASSWORD }))
    const login = { login: 'key', password: PASSWORD }
    const first = await expectDocumented('POST', '/api/auth/login', 200, { body: login })
    const bearer = (session: Json) => ({ headers: { authorization: `Bearer ${session['token']}` } })
    const route = '/api/auth/passkeys'
    const begun = async (path: string, session: Json) =>
      (await expectDocumented('POST', `${route}/${path}/options`, 200, bearer(session)))['options'] as never

    const creation = await expectDocumented('POST', `${route}/register/options`, 200, { ...bearer(first), body: {} })
    const register = { response: created(device, creation['options']), label: 'key' }
    const registered = await expectDocumented('POST', `${route}/register`, 200, { ...bearer(first), body: register })
    await expectDocumented('POST', `${route}/register`, 401, { ...bearer(registered), body: register })
    await expectDocumented('GET', route, 200, bearer(registered))
    const response = signed(device, await begun('login', {}))
    const body = { response, cookie: false }
    const session = await expectDocumented('POST', `${route}/login`, 200, { headers: { authorization: '' }, body })
    await expectDocumented('POST', `${route}/login`, 401, { body })
    await expectDocumented('POST', `${route}/login`, 400, { body: { response: { ...response, id: '=' } } })

    const pending = await expectDocumented('POST', '/api/auth/login', 200, { body: login })
    const shown = { response: signed(device, await begun('verify', pending)), trustDevice: 'laptop' }
    const verified = await expectDocumented('POST', `${route}/verify`, 200, { ...bearer(pending), body: shown })
    expect(verified['deviceToken']).toMatch(/^rsd_/)
    const spared = { ...login, deviceToken: verified['deviceToken'] }
    expect(await expectDocumented('POST', '/api/auth/login', 200, { body: spared })).toMatchObject({
      deviceToken: expect.any(String),
    })
    await expectDocumented('POST', '/api/auth/devices/trust', 200, { ...bearer(verified), body: {} })
    const { devices } = await expectDocumented('GET', '/api/auth/devices', 200, bearer(verified))
    const params = { id: (devices as { id: number }[])[0]?.id }
    await expectDocumented('POST', '/api/auth/devices/{id}/revoke', 204, { ...bearer(verified), params })
    await expectDocumented('POST', '/api/auth/devices/{id}/revoke', 404, { ...bearer(verified), params })
    await expectDocumented('POST', '/api/auth/devices/revoke', 200, bearer(session))

    const named = { id: registered['passkeyId'], label: 'old key' }
    await expectDocumented('POST', `${route}/rename`, 204, { ...bearer(verified), body: named })
    await expectDocumented('POST', `${route}/remove`, 204, { ...bearer(verified), body: { id: named.id } })
    await expectDocumented('POST', `${route}/remove`, 404, { ...bearer(verified), body: { id: named.id } })
  })

  test('of codes and mails', async () => {
    const nobody = { headers: { authorization: '' } }
    for (const [route, body] of [
      ['/api/auth/email', { email: 'doc@example.org' }],
      ['/api/auth/mfa/send', { method: 'email' }],
      ['/api/auth/mfa/{method}/enrol', { address: 'doc@example.org' }],
      ['/api/auth/mfa/{method}/confirm', { code: '123456' }],
    ] as const) {
      await expectDocumented('POST', route, 401, { params: { method: 'email' }, body, ...nobody })
      const somebody = { headers: { authorization: 'Bearer rss_1_x' } }
      await expectDocumented('POST', route, 400, { params: { method: 'fax' }, body: { ...body, more: 1 }, ...somebody })
    }
    for (const route of ['/api/auth/email/send', '/api/auth/recover'])
      await expectDocumented('POST', route, 409, { body: { login: 'doc' }, ...nobody })
    await expectDocumented('POST', '/api/auth/email/verify', 422, { body: { token: 'rst_1_x' }, ...nobody })
    await expectDocumented('POST', '/api/auth/recover/complete', 422, {
      body: { token: 'rst_1_x', password: 'correct horse battery staple' },
      ...nobody,
    })
  })

  test('of accounts', async () => {
    await registerUser(runtime.node, 'someone')
    const login = { login: 'someone', password: PASSWORD }
    const opened = await expectDocumented('POST', '/api/auth/login', 200, { body: login })
    await expectDocumented('POST', '/api/auth/login', 200, { body: { ...login, cookie: true } })
    await expectDocumented('POST', '/api/auth/login', 401, { body: { ...login, password: 'wrong' } })
    await expectDocumented('POST', '/api/auth/login', 400, { body: {} })
    const viewer = { authorization: `Bearer ${opened['token']}` }
    await expectDocumented('GET', '/api/auth/verify', 200, { headers: viewer })
    await expectDocumented('GET', '/api/auth/verify', 401)

    const admin = await signInAdmin(runtime.node, 'root')
    const headers = { authorization: `Bearer ${admin.token}` }
    const params = { id: opened['userId'] }
    await expectDocumented('GET', '/api/users', 200, { headers, query: '?limit=1' })
    await expectDocumented('GET', '/api/users', 403, { headers: viewer })
    await expectDocumented('GET', '/api/users', 400, { headers, query: '?limit=0' })
    await expectDocumented('GET', '/api/users/{id}', 200, { params, headers })
    await expectDocumented('GET', '/api/users/{id}', 404, { params: { id: 4_242 }, headers })
    for (const [route, body] of [
      ['/api/users/{id}/session-limit', { limit: 3 }],
      ['/api/users/{id}/roles', { roles: ['operator'] }],
      ['/api/users/{id}/deactivate', {}],
    ] as const)
      await expectDocumented('POST', route, 200, { params, headers, body })
    await expectDocumented('POST', '/api/users/{id}/deactivate', 409, { params, headers, body: {} })
    await expectDocumented('POST', '/api/users/{id}/reactivate', 200, { params, headers })
    await expectDocumented('POST', '/api/users/{id}/erase', 401, { params, headers: viewer })
    await expectDocumented('POST', '/api/users/{id}/erase', 400, { params: { id: 0 }, headers })
    await expectDocumented('POST', '/api/users/{id}/erase', 200, { params, headers })
    await expectDocumented('POST', '/api/auth/logout', 204, { headers })
    await expectDocumented('GET', '/api/users', 401, { headers })
  })

  test('and the check would see one that is not', async () => {
    const answer = await runtime.client.request('GET', '/ready')
    const wrong = { ...answer, body: { ...(answer.body as Json), extra: 1, ready: 'yes' } }
    expect(undocumented('GET', '/ready', wrong)).toHaveLength(2)
  })
})
