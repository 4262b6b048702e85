/** The API document: it is OpenAPI, it shows every route and every event, and what it says of answers is true. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/core/errors.ts'
import { accountProblem } from '../../src/http/problem.ts'
import { entities } from '../../src/machines/index.ts'
import { codeOf, granted, PASSWORD } from '../accounts/granted.ts'
import { createStillClock, STEP_MS } from '../accounts/still-clock.ts'
import { registerUser, signInAdmin } from '../support/accounts.ts'
import { Authenticator, created, signed } from '../support/authenticator.ts'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'
import { differences, resolve } from './json-schema.ts'

type Json = Record<string, unknown>
interface Operation {
  operationId: string
  summary: string
  security?: unknown[]
  parameters?: { name: string; in: string; required?: boolean; schema: Json }[]
  requestBody?: { content: Record<string, { schema: Json }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>
}
interface Document {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Json>; securitySchemes: Record<string, Json> }
  security: Json[]
}

const clock = createStillClock()
const ORIGIN = 'https://stream.example.org'

let runtime: TestRuntime
let document: Document
beforeAll(async () => {
  runtime = await startRuntime({ accounts: { publicUrl: ORIGIN }, clock })
  const answer = await fetch(`${runtime.server.url}/openapi.json`)
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  document = (await answer.json()) as Document
})
afterAll(() => runtime.stop())

function operations(): { method: string; route: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([route, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, route, operation })),
  )
}

/** What the document says of an answer of this route, or a reason why it says nothing of it. */
function undocumented(method: string, route: string, answer: Answer): readonly string[] {
  const operation = document.paths[route]?.[method.toLowerCase()]
  if (operation === undefined) return [`${method} ${route} is not in the document`]
  const response = operation.responses[String(answer.status)] ?? operation.responses['default']
  const [contentType = ''] = (answer.headers['content-type'] ?? '').split(';')
  if (answer.body === null)
    return response?.content === undefined ? [] : [`${method} ${route} ${answer.status} should have a body`]
  const schema = response?.content?.[contentType]?.schema
  if (schema === undefined) return [`${method} ${route} ${answer.status} ${contentType} is not documented`]
  return differences(answer.body, schema, document).map(found => `${method} ${route} ${answer.status} ${found}`)
}

async function expectDocumented(
  method: string,
  route: string,
  status: number,
  options: { params?: Json; query?: string; body?: object; headers?: Record<string, string> } = {},
): Promise<Json> {
  const filled = route.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(options.params?.[name]))
  const answer = await runtime.client.request(method, filled + (options.query ?? ''), options)
  expect(answer, `${method} ${route} ${JSON.stringify(answer.body)}`).toMatchObject({ status })
  expect(undocumented(method, route, answer)).toEqual([])
  return answer.body as Json
}

describe('the document', () => {
  test('is OpenAPI 3.1 that holds together', () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: expect.any(String), version: expect.any(String) },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    })
    for (const { method, route, operation } of operations()) {
      expect(['get', 'post']).toContain(method)
      expect(operation.summary, route).toEqual(expect.any(String))
      const inPath = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = (operation.parameters ?? []).filter(parameter => parameter.in === 'path')
      expect(declared.map(({ name }) => name)).toEqual(inPath)
      for (const parameter of operation.parameters ?? []) {
        expect(['path', 'query', 'header']).toContain(parameter.in)
        expect(parameter.required, `${route} ${parameter.name}`).toBe(
          parameter.in === 'path' || (route === '/v1/actors' && parameter.name === 'type'),
        )
        expect(Object.keys(parameter.schema), `${route} ${parameter.name}`).toContain('type')
      }
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[2-5]\d\d$|^default$/)
        expect(response.description, `${route} ${status}`).not.toBe('Default Response')
      }
      expect(Object.keys(operation.responses).length).toBeGreaterThan(1)
    }
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('refers to all of its components and to nothing else', () => {
    const text = JSON.stringify(document)
    const referred = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference = '']) => reference))
    for (const reference of referred) expect(() => resolve(reference, document)).not.toThrow()
    expect([...referred].map(reference => reference.replace('#/components/schemas/', '')).sort()).toEqual(
      Object.keys(document.components.schemas).sort(),
    )
    for (const name of Object.keys(document.components.schemas)) expect(name).toMatch(/^[a-zA-Z0-9._-]+$/)
  })

  test('has every route of the server', async () => {
    const folder = path.resolve(import.meta.dirname, '../../src/http/routes')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
    const source = files.map(file => readFileSync(path.join(folder, file), 'utf8'))
    const registered = [...source.join().matchAll(/\bapp\.(\w+)\(\s*'([^']+)'/g)].map(
      ([, method, route = '']) => `${method} ${route.replaceAll(/:(\w+)/g, '{$1}')}`,
    )
    expect(registered.length).toBeGreaterThan(10)
    const documented = operations().map(({ method, route }) => `${method} ${route}`)
    expect(documented.sort()).toEqual(registered.sort())
    for (const { method, route } of operations()) {
      if (route === '/v1/events/stream') continue
      const answer = await fetch(runtime.server.url + route.replaceAll(/\{\w+\}/g, '0'), { method })
      expect(await answer.text(), route).not.toContain('no such route')
    }
  })

  test('says which routes are open, and they are the only ones', async () => {
    for (const { method, route, operation } of operations()) {
      const answer = await fetch(runtime.server.url + route.replaceAll(/\{\w+\}/g, '1'), { method })
      await answer.body?.cancel()
      expect(answer.status === 401, `${method} ${route}`).toBe(operation.security?.length !== 0)
    }
  })

  test('shows each event that can be sent, and the codes of all errors', () => {
    const { schemas } = document.components
    for (const entity of entities) {
      const sendable = Object.entries(entity.events).filter(([, { internal }]) => !internal)
      const name = entity.type.split('-').map(word => word.charAt(0).toUpperCase() + word.slice(1))
      const command = schemas[`${name.join('')}Command`] as {
        oneOf: { $ref: string }[]
      }
      const shown = command.oneOf.map(({ $ref }) => {
        const { properties } = resolve($ref, document) as { properties: { type: { const: string } } }
        return properties.type.const
      })
      expect(shown).toEqual(sendable.map(([type]) => type))
    }
    const created = { type: 'stream.created', userId: 1, name: 'x', streamKey: 'k' }
    const creation =
      document.paths['/v1/actors/{type}']?.['post']?.requestBody?.content['application/json']?.schema ?? {}
    expect(differences(created, creation, document)).toEqual([])
    expect(differences({ ...created, userId: 0 }, creation, document)).not.toEqual([])
    expect(differences({ ...created, admin: true }, creation, document)).not.toEqual([])
    expect(differences({ type: 'stream.started' }, creation, document), 'no first event').not.toEqual([])
    const { properties } = schemas['Problem'] as { properties: { code: { enum: string[] } } }
    expect(properties.code.enum).toEqual([...Object.keys(ERRORS), 'internal'])
  })
})

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
