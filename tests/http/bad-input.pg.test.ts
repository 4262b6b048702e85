/** Bad input over HTTP: each is a clear problem that repeats no value, and the log is as it was. */
import http from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

let runtime: TestRuntime
let actor: string
let head: number
beforeAll(async () => {
  runtime = await startRuntime()
  const user = { type: 'user.registered', username: 'u', email: 'u@example.org', passwordHash: 'x' }
  const { id } = (await runtime.client.request('POST', '/v1/actors/user', { body: user })).body as { id: number }
  const stream = { type: 'stream.created', userId: id, name: 'x', streamKey: 'k' }
  const created = await runtime.client.request('POST', '/v1/actors/stream', { body: stream })
  actor = (created.body as { actor: string }).actor
  head = await runtime.node.log.head()
})
afterAll(() => runtime.stop())

/** Sends bytes as they are. */
function send(
  path: string,
  content: string | Buffer,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      runtime.server.url,
      {
        method,
        path,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      },
      response => {
        let text = ''
        response.on('data', chunk => {
          text += chunk
        })
        response.on('end', () => {
          const body = text === '' ? null : JSON.parse(text)
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
        })
      },
    )
    request.on('error', reject)
    request.end(content)
  })
}

/** Each problem is whole, and shows nothing of what was sent; nothing was written. */
async function expectProblem(answer: Answer, status: number, code: string, reason = ''): Promise<void> {
  expect(answer, JSON.stringify(answer.body)).toMatchObject({
    status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8' },
    body: {
      status,
      code,
      type: `urn:rootstream:error:${code.replaceAll('_', '-')}`,
      title: expect.any(String),
      detail: expect.stringContaining(reason),
    },
  })
  expect(JSON.stringify(answer.body)).not.toContain('s3cret')
  expect(await runtime.node.log.head()).toBe(head)
}

const registered = (fields: string) =>
  `{"type":"user.registered","username":"s3cret","email":"a@example.org","passwordHash":"s3cret"${fields}}`

describe('bodies', () => {
  test.each<[string, string | Buffer, number, string, string]>([
    ['no JSON', '{"type":"s3cret', 400, 'invalid_input', 'not valid JSON'],
    ['a text', '"s3cret"', 400, 'invalid_input', 'expected object'],
    ['a list', '["s3cret"]', 400, 'invalid_input', 'expected object'],
    ['null', 'null', 400, 'invalid_input', 'expected object'],
    ['empty', '', 400, 'invalid_input', 'empty'],
    ['without type', '{"username":"s3cret"}', 400, 'invalid_input', 'type'],
    ['a type that is no text', '{"type":5}', 400, 'invalid_input', 'type'],
    ['a type too long', `{"type":"${'s3cret'.repeat(20)}"}`, 400, 'invalid_input', 'type'],
    ['an unknown type', '{"type":"user.unheard"}', 404, 'unknown_type', 'user.registered'],
    ['a type of another entity', '{"type":"stream.created"}', 404, 'unknown_type', 'user.registered'],
    ['a type that is a property of objects', '{"type":"constructor"}', 404, 'unknown_type', 'user.registered'],
    ['an event of the runtime', '{"type":"user.imported","row":{}}', 422, 'invalid_event', 'runtime itself'],
    ['fields missing', '{"type":"user.registered"}', 422, 'invalid_event', 'username'],
    ['fields too many', registered(',"role":"s3cret"'), 422, 'invalid_event', 'role'],
    ['another kind of value', registered(',"displayName":5'), 422, 'invalid_event', 'displayName'],
    ['NUL in a text', registered(',"displayName":"a\\u0000b"'), 422, 'invalid_event', 'NUL'],
    ['a lone surrogate in a text', registered(',"displayName":"a\\ud800b"'), 422, 'invalid_event', 'surrogate'],
    ['NUL in a key', registered(',"a\\u0000b":1'), 422, 'invalid_event', ''],
    ['a lone surrogate in a key', registered(',"\\udfff":1'), 422, 'invalid_event', ''],
    ['a raw control character', registered(',"displayName":"a\u0001b"'), 400, 'invalid_input', 'not valid JSON'],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      400,
      'invalid_input',
      'UTF-8',
    ],
    ['__proto__', registered(',"__proto__":{"admin":true}'), 400, 'invalid_input', '__proto__'],
    ['constructor', registered(',"constructor":{"prototype":{"admin":true}}'), 400, 'invalid_input', 'constructor'],
    ['a key twice', registered(',"username":"other"'), 400, 'invalid_input', 'twice'],
    ['the type twice', registered(',"type":"user.verified"'), 400, 'invalid_input', 'twice'],
    ['33 levels', registered(`,"displayName":${'['.repeat(33)}${']'.repeat(33)}`), 400, 'invalid_input', 'too deep'],
    [
      '5,000 levels',
      registered(`,"displayName":${'['.repeat(5_000)}${']'.repeat(5_000)}`),
      400,
      'invalid_input',
      'too deep',
    ],
    ['5 MB', registered(`,"displayName":"${'s3cret'.repeat(900_000)}"`), 413, 'payload_too_large', 'limit'],
  ])('%s', async (_, content, status, code, reason) => {
    await expectProblem(await send('/v1/actors/user', content), status, code, reason)
  })

  test.each([
    ['past any number', '1e400'],
    ['below any number', '-1e400'],
    ['past what is exact', '9007199254740993'],
    ['past its column', '2147483648'],
    ['a fraction', '1.5'],
    ['negative', '-1'],
    ['a text', '"5"'],
    ['true', 'true'],
  ])('a count that is %s', async (_, number) => {
    const answer = await send(`/v1/actors/${actor}/commands`, `{"type":"stream.viewers.updated","viewers":${number}}`)
    await expectProblem(answer, 422, 'invalid_event', 'viewers')
    expect((answer.body as { detail: string }).detail).not.toContain(number)
  })

  test.each([
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-01-01',
    '2026-01-01T00:00:00',
    '0000-01-01T00:00:00Z',
    '+012026-01-01T00:00:00Z',
    '2026-01-01T25:00:00Z',
    '',
  ])('the time %j', async time => {
    const body = { type: 'session.created', userId: 1, tokenHash: 's3cret', expiresAt: time }
    await expectProblem(await send('/v1/actors/session', JSON.stringify(body)), 422, 'invalid_event', 'expiresAt')
    const query = encodeURIComponent(time)
    // The year 0 is a time; an actor had no events then.
    if (!time.startsWith('0000')) {
      await expectProblem(await send(`/v1/actors/${actor}?at=${query}`, '', {}, 'GET'), 400, 'invalid_input', 'at')
      await expectProblem(await send(`/v1/audit?since=${query}`, '', {}, 'GET'), 400, 'invalid_input', 'since')
    }
  })

  test.each([
    ['text', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['files', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['something like JSON', { 'content-type': 'application/jsonp' }],
    ['nothing that can be read', { 'content-type': ';;' }],
  ])('sent as %s', async (_, headers) => {
    const content = registered('')
    await expectProblem(await send('/v1/actors/user', content, headers), 400, 'invalid_input', 'content-type')
  })

  test('another length than was announced', async () => {
    const answer = await send('/v1/actors/user', registered(''), { 'content-encoding': 'gzip', 'content-length': '10' })
    expect(answer.status).toBe(400)
    expect(await runtime.node.log.head()).toBe(head)
  })
})

describe('addresses, queries and headers', () => {
  const get = (path: string, headers: Record<string, string> = {}) => send(path, '', headers, 'GET')

  test.each(['0', '-1', '1.5', '1e3', '01', '+1', '0x1', '9007199254740992', '2147483648', '%D9%A3', '%00', '1%2F2'])(
    'the id %s',
    async id => {
      await expectProblem(await get(`/v1/actors/stream/${id}`), 400, 'invalid_input', 'id')
      const answer = await send(`/v1/actors/stream/${id}/commands`, '{"type":"stream.started"}')
      await expectProblem(answer, 400, 'invalid_input', 'id')
    },
  )

  test.each([
    ['an actor type unheard of', '/v1/actors/unheard/1', 404, 'unknown_type'],
    ['an actor type that is no name', '/v1/actors/Stream/1', 400, 'invalid_input'],
    ['an actor type that is a property of objects', '/v1/actors/constructor/1', 404, 'unknown_type'],
    ['an address that cannot be decoded', '/v1/actors/user/%zz', 400, 'invalid_input'],
    ['a route that is none', '/v2', 404, 'not_found'],
    ['a version past any', `/v1/actors/stream/1?version=99999999999999999`, 400, 'invalid_input'],
    ['a version and a time', '/v1/actors/stream/1?version=1&at=2026-01-01T00:00:00Z', 400, 'invalid_input'],
    ['a query twice', '/v1/actors/stream/1?version=1&version=2', 400, 'invalid_input'],
    ['a query that is a property of objects', '/v1/audit?__proto__=1', 400, 'invalid_input'],
    ['a page of none', '/v1/audit?limit=0', 400, 'invalid_input'],
    ['a page too large', '/v1/actors/stream/1/events?limit=1001', 400, 'invalid_input'],
    ['a cursor that is none', '/v1/actors?type=user&after=s3cret', 400, 'invalid_input'],
    ['an actor that is none', '/v1/audit?actor=stream', 400, 'invalid_input'],
  ])('%s', async (_, path, status, code) => {
    await expectProblem(await get(path), status, code)
  })

  test.each([
    ['if-match', '1', 'If-Match'],
    ['if-match', 'W/"1"', ''],
    ['if-match', '*', ''],
    ['if-match', '"1", "2"', ''],
    ['idempotency-key', 'with space', ''],
    ['idempotency-key', 'x'.repeat(201), ''],
    ['x-user-id', '0', ''],
    ['x-user-id', 's3cret', ''],
    ['x-correlation-id', 'with space', ''],
  ])('the header %s: %s', async (name, value) => {
    const answer = await send(`/v1/actors/${actor}/commands`, '{"type":"stream.started"}', { [name]: value })
    await expectProblem(answer, 400, 'invalid_input')
  })

  test('a wrong version and an event the state does not take', async () => {
    const path = `/v1/actors/${actor}/commands`
    const wrong = await send(path, '{"type":"stream.started"}', { 'if-match': '"7"' })
    await expectProblem(wrong, 412, 'wrong_version')
    const refused = await send(path, '{"type":"stream.stopped"}')
    await expectProblem(refused, 409, 'not_allowed')
    for (const { body } of [wrong, refused])
      expect(body).toMatchObject({
        actor,
        state: 'idle',
        version: 1,
        allowed: expect.arrayContaining(['stream.started']),
      })
  })
})

test('If-None-Match takes a list, weak tags and a star', async () => {
  const path = `/v1/actors/${actor}`
  for (const [tag, status] of [
    ['"1"', 304],
    ['W/"1"', 304],
    ['"7", "1"', 304],
    ['*', 304],
    ['"2"', 200],
    ['1', 200],
  ] as const)
    expect(await send(path, '', { 'if-none-match': tag }, 'GET'), tag).toMatchObject({
      status,
      headers: { etag: '"1"' },
    })
})

test('pages end where there is no more, also where the last one is full', async () => {
  const pages = async (path: string, cursor: string, items: string) => {
    const sizes: number[] = []
    for (let next: unknown; ; ) {
      const answer = await send(`${path}${next === undefined ? '' : `&${cursor}=${next}`}`, '', {}, 'GET')
      const page = answer.body as Record<string, unknown>
      sizes.push((page[items] as unknown[]).length)
      next = page['next']
      if (next === undefined) return sizes.reduce((sum, size) => sum + size, 0)
    }
  }
  const count = (await runtime.node.log.audit({ limit: 1_000 })).events.length
  for (const limit of [1, 2, 3]) {
    expect(await pages(`/v1/audit?limit=${limit}`, 'after', 'events')).toBe(count)
    expect(await pages(`/v1/actors?type=user&limit=${limit}`, 'after', 'actors')).toBe(1)
    expect(await pages(`/v1/actors/${actor}/events?limit=${limit}`, 'from', 'events')).toBe(1)
  }
})
