/** The HTTP API over a real node: what it answers, what it refuses, and what it never lets out. */
import { statSync } from 'node:fs'
import http from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHttpServer } from '../../src/http/server.ts'
import { silentLogger } from '../../src/logging.ts'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

type Body = Record<string, unknown>
const get = (path: string, headers: Record<string, string> = {}) => runtime.client.request('GET', path, { headers })
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  runtime.client.request('POST', path, { body, headers })
const body = (answer: Answer) => answer.body as Body

let count = 0
async function newUser(): Promise<number> {
  const name = `user${++count}`
  const answer = await post('/v1/actors/user', {
    type: 'user.registered',
    username: name,
    email: `${name}@example.org`,
    passwordHash: '$argon2id$secret-hash',
  })
  expect(answer.status).toBe(201)
  return Number(body(answer)['id'])
}
async function newStream(): Promise<number> {
  const answer = await post('/v1/actors/stream', {
    type: 'stream.created',
    userId: await newUser(),
    name: 'Mine',
    streamKey: `secret-key-${++count}`,
  })
  return Number(body(answer)['id'])
}

/** Sends bytes as they are; answers the status. */
function raw(
  method: string,
  path: string,
  content: string | Buffer,
  headers: Record<string, string> = {},
  options: http.RequestOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(runtime.server.url)
    const request = http.request(
      {
        method,
        path,
        ...(options.socketPath === undefined ? { hostname: url.hostname, port: url.port } : {}),
        ...options,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      },
      response => {
        let text = ''
        response.on('data', chunk => {
          text += chunk
        })
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text === '' ? null : JSON.parse(text),
          }),
        )
      },
    )
    request.on('error', reject)
    request.end(content)
  })
}

describe('commands', () => {
  test('create, change, read: versions, ETag and Location agree', async () => {
    const userId = await newUser()
    const created = await post(
      '/v1/actors/stream',
      { type: 'stream.created', userId, name: 'Mine', streamKey: 'k-1' },
      { 'x-user-id': String(userId), 'x-correlation-id': 'r-1' },
    )
    expect(created).toMatchObject({
      status: 201,
      headers: { etag: '"1"' },
      body: { version: 1, state: 'idle', repeated: false },
    })
    const path = String(created.headers.location)
    const renamed = await post(`${path}/commands`, { type: 'stream.renamed', name: 'Ours' }, { 'if-match': '"1"' })
    expect(renamed).toMatchObject({ status: 200, body: { version: 2, state: 'idle' } })
    const state = await get(path)
    expect(state).toMatchObject({
      status: 200,
      headers: { etag: '"2"' },
      body: { state: 'idle', version: 2, context: { row: { name: 'Ours' } } },
    })
    expect(body(state)['allowed']).toContain('stream.started')
    expect(await get(path, { 'if-none-match': '"2"' })).toMatchObject({ status: 304, body: null })
    const events = await get(`${path}/events`)
    expect(body(events)['events']).toMatchObject([
      { version: 1, userId, correlation: 'r-1' },
      { version: 2, type: 'stream.renamed' },
    ])
  })

  test('a retry under the same idempotency key gets the first outcome', async () => {
    const command = { type: 'user.registered', username: 'retry', email: 'retry@example.org', passwordHash: 'x' }
    const first = await post('/v1/actors/user', command, { 'idempotency-key': 'key-1' })
    const again = await post('/v1/actors/user', command, { 'idempotency-key': 'key-1' })
    expect(body(again)).toEqual({ ...body(first), repeated: true })
    expect(
      await post('/v1/actors/user', { ...command, username: 'other' }, { 'idempotency-key': 'key-1' }),
    ).toMatchObject({ status: 409, body: { code: 'command_id_reused' } })
  })

  test('a refusal is problem+json with the state and what it allows', async () => {
    const id = await newStream()
    const refused = await post(`/v1/actors/stream/${id}/commands`, { type: 'stream.stopped' })
    expect(refused).toMatchObject({
      status: 409,
      headers: { 'content-type': expect.stringContaining('application/problem+json') },
      body: { code: 'not_allowed', state: 'idle', version: 1, retryable: false },
    })
    expect(body(refused)['allowed']).toContain('stream.started')
    expect(
      await post(`/v1/actors/stream/${id}/commands`, { type: 'stream.started' }, { 'if-match': '"7"' }),
    ).toMatchObject({ status: 412, body: { code: 'wrong_version', version: 1 } })
    expect(
      await post('/v1/actors/stream', { type: 'stream.created', userId: 999_999, name: 'x', streamKey: 'x' }),
    ).toMatchObject({ status: 422, body: { code: 'unknown_reference', detail: 'user/999999' } })
    const key = `taken-${id}`
    const userId = await newUser()
    await post('/v1/actors/stream', { type: 'stream.created', userId, name: 'x', streamKey: key })
    expect(
      await post('/v1/actors/stream', { type: 'stream.created', userId, name: 'x', streamKey: key }),
    ).toMatchObject({ status: 409, body: { code: 'claimed', detail: 'stream.key' } })
  })

  test('the past by version and by time', async () => {
    const id = await newStream()
    await post(`/v1/actors/stream/${id}/commands`, { type: 'stream.started' })
    const created = body(await get(`/v1/actors/stream/${id}?version=1`))
    expect(created).toMatchObject({ version: 1, state: 'idle' })
    expect(await get(`/v1/actors/stream/${id}?at=${encodeURIComponent(String(created['at']))}`)).toMatchObject({
      status: 200,
    })
    expect(await get(`/v1/actors/stream/${id}?at=2001-01-01T00:00:00Z`)).toMatchObject({
      status: 200,
      body: { version: 0, state: 'absent' },
    })
    expect(await get(`/v1/actors/stream/${id}?version=9`)).toMatchObject({ status: 404 })
    expect(await get(`/v1/actors/stream/${id}?at=yesterday`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_input' },
    })
  })

  test('pages: events of an actor, actors of a type, the audit of a user', async () => {
    const id = await newStream()
    const userId = await newUser()
    await post(`/v1/actors/stream/${id}/commands`, { type: 'stream.started' })
    for (let n = 0; n < 5; n++)
      await post(`/v1/actors/stream/${id}/commands`, { type: 'viewer.joined' }, { 'x-user-id': String(userId) })
    const versions: unknown[] = []
    for (let from: unknown = 1; from !== undefined; ) {
      const page = body(await get(`/v1/actors/stream/${id}/events?from=${from}&limit=3`))
      versions.push(...(page['events'] as Body[]).map(event => event['version']))
      from = page['next']
    }
    expect(versions.slice(0, 7)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(
      (body(await get(`/v1/actors/stream/${id}/events?from=2&to=3`))['events'] as Body[]).map(
        event => event['version'],
      ),
    ).toEqual([2, 3])
    const audited: unknown[] = []
    for (let after: unknown = 0; after !== undefined; ) {
      const page = body(await get(`/v1/audit?user=${userId}&limit=2&after=${after}`))
      audited.push(...(page['events'] as Body[]).map(event => event['type']))
      after = page['next']
    }
    expect(audited).toEqual(Array(5).fill('viewer.joined'))
    expect((body(await get('/v1/actors?type=stream&limit=1'))['actors'] as Body[]).length).toBe(1)
  })
})

describe('who may ask', () => {
  test('over TCP only with the token; health and readiness are open', async () => {
    for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`, 'Bearer', `Bearer ${TOKEN} `.repeat(2)])
      expect(await get('/v1/actors?type=user', { authorization }), authorization).toMatchObject({
        status: 401,
        body: { code: 'unauthorized' },
      })
    // The name of the scheme is in any case.
    expect(await get('/v1/actors?type=user', { authorization: `bearer ${TOKEN}` })).toMatchObject({ status: 200 })
    expect(await raw('GET', '/health', '', { authorization: '' })).toMatchObject({
      status: 200,
      body: { status: expect.stringMatching(/ok|degraded/) },
    })
    expect(await raw('GET', '/ready', '', { authorization: '' })).toMatchObject({ status: 200, body: { ready: true } })
  })

  test('over the socket its permissions decide, and they are closed to others', async () => {
    expect(
      await raw('GET', '/v1/actors?type=user', '', { authorization: '' }, { socketPath: runtime.socket }),
    ).toMatchObject({ status: 200 })
    expect(statSync(runtime.socket).mode & 0o777).toBe(0o660)
  })

  test('hashes and keys never leave, in no answer', async () => {
    const id = await newStream()
    const answers = await Promise.all([
      get(`/v1/actors/stream/${id}`),
      get(`/v1/actors/stream/${id}/events`),
      get('/v1/audit?limit=1000'),
      get('/v1/actors/user/1'),
      get('/v1/actors/user/1/events'),
    ])
    const text = JSON.stringify(answers.map(answer => answer.body))
    expect(text).not.toContain('secret')
    expect(text).toContain('***')
  })

  test('a port or a socket that is taken is refused, and left alone', async () => {
    const port = Number(new URL(runtime.server.url).port)
    const options = { node: runtime.node, host: '127.0.0.1', token: TOKEN, log: silentLogger }
    await expect(startHttpServer({ ...options, port })).rejects.toMatchObject({
      code: 'already_running',
      message: expect.stringContaining('ROOTSTREAM_HTTP_PORT'),
    })
    await expect(startHttpServer({ ...options, port: 0, socket: runtime.socket })).rejects.toMatchObject({
      code: 'already_running',
    })
    expect(await raw('GET', '/health', '', {}, { socketPath: runtime.socket })).toMatchObject({ status: 200 })
  })
})

describe('hostile input', () => {
  const create = (event: object, headers: Record<string, string> = {}) =>
    post(
      '/v1/actors/user',
      {
        type: 'user.registered',
        username: 'h',
        email: 'h@example.org',
        passwordHash: 'x',
        ...event,
      },
      headers,
    )

  test.each([
    ['a NUL in a string', { username: 'nul\0' }],
    ['a lone surrogate', { username: '\ud800' }],
    ['too long', { username: 'x'.repeat(256) }],
    ['empty', { username: '' }],
    ['a wrong address', { email: 'no address' }],
    ['an unknown field', { admin: true }],
    ['another kind of value', { username: ['x'] }],
  ])('%s is refused with 422', async (_, event) => {
    expect(await create(event)).toMatchObject({ status: 422, body: { code: 'invalid_event' } })
  })

  test.each([
    ['no JSON', '{', 400],
    ['no object', '[]', 400],
    ['nothing', '', 400],
    ['no type', '{"username":"x"}', 400],
    ['__proto__', '{"type":"user.registered","__proto__":{"admin":true}}', 400],
    ['constructor.prototype', '{"type":"user.registered","constructor":{"prototype":{"admin":true}}}', 400],
    ['nested too deep', `{"type":"user.registered","username":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 400],
    ['five megabytes', `{"type":"user.registered","username":"${'x'.repeat(5_000_000)}"}`, 413],
  ])('a body that is %s is refused', async (_, content, status) => {
    const answer = await raw('POST', '/v1/actors/user', content).catch((error: NodeJS.ErrnoException) => error)
    // A server may close while five megabytes are still coming.
    if (answer instanceof Error) expect(['ECONNRESET', 'EPIPE']).toContain(answer.code)
    else
      expect(answer).toMatchObject({
        status,
        headers: { 'content-type': expect.stringContaining('application/problem+json') },
      })
  })

  test('another content type is refused', async () => {
    expect(
      await raw('POST', '/v1/actors/user', 'type=user.registered', {
        'content-type': 'application/x-www-form-urlencoded',
      }),
    ).toMatchObject({ status: 400 })
  })

  test.each(['0', '-1', '1.5', '1e3', '9007199254740993', '99999999999999999999', 'abc', '2147483648', '%00', '٣'])(
    'the id %s is refused',
    async id => {
      const answer = await raw('GET', `/v1/actors/user/${encodeURI(id)}`, '')
      expect([400, 404]).toContain(answer.status)
      expect(answer.status === 404 ? body(answer)['code'] : 'invalid_input').toMatch(/invalid_input|not_found/)
    },
  )

  test('unknown types, events and routes say what there is', async () => {
    expect(await post('/v1/actors/unheard', { type: 'x' })).toMatchObject({
      status: 404,
      body: { code: 'unknown_type', detail: expect.stringContaining('stream') },
    })
    expect(await post('/v1/actors/user', { type: 'user.unheard' })).toMatchObject({
      status: 404,
      body: { code: 'unknown_type', detail: expect.stringContaining('user.registered') },
    })
    expect(await post('/v1/actors/user', { type: '__proto__' })).toMatchObject({ status: 404 })
    expect(await get('/v1/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await get('/v1/actors/user/424242')).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  test('internal events cannot be sent from outside', async () => {
    const userId = await newUser()
    const session = body(
      await post('/v1/actors/session', {
        type: 'session.created',
        userId,
        tokenHash: `t${count}`,
        expiresAt: '2099-01-01T00:00:00Z',
      }),
    )
    expect(await post(`/v1/actors/session/${session['id']}/commands`, { type: 'session.expired' })).toMatchObject({
      status: 422,
    })
  })

  test('bad headers and queries are named, their values are not repeated', async () => {
    const answer = await get('/v1/audit?user=secret-value&limit=5000')
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_input', detail: expect.stringContaining('user') },
    })
    expect(JSON.stringify(answer.body)).not.toContain('secret-value')
    expect(await get('/v1/audit?nonsense=1')).toMatchObject({ status: 400 })
    expect(await create({}, { 'idempotency-key': 'with space' })).toMatchObject({ status: 400 })
    expect(await create({}, { 'x-user-id': '-3' })).toMatchObject({ status: 400 })
  })
})
