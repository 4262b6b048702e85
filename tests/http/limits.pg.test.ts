/** What is too much, too large or too slow is answered, and nothing of it keeps the node from going on or stopping. */
import http from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { HttpLimits } from '../../src/http/limits.ts'
import { type HttpServer, startHttpServer } from '../../src/http/server.ts'
import { silentLogger } from '../../src/logging.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'
import { openRaw, type RawConnection } from './raw-connection.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

const servers: HttpServer[] = []
const connections: RawConnection[] = []
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await server.close()
})

async function serve(limits: Partial<HttpLimits>): Promise<HttpServer> {
  const server = await startHttpServer({
    node: runtime.node,
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    log: silentLogger,
    limits,
  })
  servers.push(server)
  return server
}

async function open(server: HttpServer): Promise<RawConnection> {
  const connection = await openRaw(server.url)
  connections.push(connection)
  return connection
}

const HEAD = `host: x\r\nauthorization: Bearer ${TOKEN}\r\n`
const REGISTER = JSON.stringify({ type: 'user.registered', username: 'l', email: 'l@example.org', passwordHash: '' })

/** A request whose body is still to come, and the body. */
async function begin(server: HttpServer, path = '/v1/actors/user', body = REGISTER): Promise<[RawConnection, string]> {
  const connection = await open(server)
  connection.write(
    `POST ${path} HTTP/1.1\r\n${HEAD}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  )
  return [connection, body]
}

async function get(
  server: HttpServer,
  path: string,
): Promise<{ status: number; retryAfter: string | null; body: unknown }> {
  const answer = await fetch(server.url + path, { headers: { authorization: `Bearer ${TOKEN}` } })
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.json() }
}

/** The gate has counted a request when one more is refused. */
async function untilFull(server: HttpServer): Promise<void> {
  while ((await get(server, '/v1/actors?type=user')).status !== 503);
}

const problem = (status: number, code: string) => ({
  status,
  head: expect.stringContaining('content-type: application/problem+json'),
  body: { status, code, type: `urn:rootstream:error:${code.replaceAll('_', '-')}`, detail: expect.any(String) },
})

describe('too many', () => {
  test('requests at a time are refused with Retry-After; health, readiness and metrics go on, and places come free', async () => {
    const server = await serve({ inFlight: 2 })
    const [[first, body], [second]] = await Promise.all([begin(server), begin(server)])
    await untilFull(server)
    expect(await get(server, '/v1/audit')).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { code: 'overloaded', retryable: true },
    })
    expect(await get(server, '/health')).toMatchObject({ status: 200 })
    expect(await get(server, '/ready')).toMatchObject({ status: 200 })
    const metrics = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
    expect(await metrics.text()).toContain('rootstream_http_requests_in_flight 2\n')
    // One whose client has gone gives its place back, and one that was answered.
    second.socket.destroy()
    while ((await get(server, '/v1/audit?limit=1')).status === 503);
    first.write(body)
    expect(await first.answer()).toMatchObject({ status: 422 })
    const [third] = await begin(server)
    while ((await get(server, '/v1/audit?limit=1')).status === 503);
    third.write(body)
    await third.answer()
  })

  test('batches at a time are refused, other requests are not', async () => {
    const server = await serve({ batchesInFlight: 1 })
    const [first, body] = await begin(server, '/v1/commands', '{"commands":[]}')
    const batch = () =>
      fetch(`${server.url}/v1/commands`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body,
      })
    let refused = await batch()
    while (refused.status !== 503) refused = await batch()
    expect(await refused.json()).toMatchObject({ code: 'overloaded' })
    expect(await get(server, '/v1/audit?limit=1')).toMatchObject({ status: 200 })
    first.write(body)
    expect(await first.answer()).toMatchObject({ status: 400 })
  })
})

describe('too large', () => {
  test('headers', async () => {
    const server = await serve({ headers: 2_048 })
    const connection = await open(server)
    connection.write(`GET /health HTTP/1.1\r\n${HEAD}x-much: ${'x'.repeat(3_000)}\r\n\r\n`)
    expect(await connection.answer()).toMatchObject(problem(431, 'headers_too_large'))
    await connection.closed()
  })

  test('a body, by its length, by what comes, and with the answer to be read by a client that still sends', async () => {
    const server = await serve({ body: 1_000 })
    const [declared, body] = await begin(server, '/v1/actors/user', JSON.stringify('x'.repeat(2_000)))
    declared.write(body)
    expect(await declared.answer()).toMatchObject(problem(413, 'payload_too_large'))
    const chunked = await open(server)
    chunked.write(
      `POST /v1/actors/user HTTP/1.1\r\n${HEAD}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    )
    chunked.write(`7d0\r\n${'x'.repeat(2_000)}\r\n0\r\n\r\n`)
    expect(await chunked.answer()).toMatchObject(problem(413, 'payload_too_large'))
  })

  test.each([5_000_000, 12_000_000])('a body of %i bytes gets its answer whole', async size => {
    const content = Buffer.alloc(size, 'x')
    const status = await new Promise((resolve, reject) => {
      const request = http.request(
        `${runtime.server.url}/v1/actors/user`,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${TOKEN}`,
            'content-type': 'application/json',
            'content-length': size,
          },
        },
        answer => answer.resume().on('end', () => resolve(answer.statusCode)),
      )
      request.on('error', reject)
      request.end(content)
    })
    expect(status).toBe(413)
  })
})

describe('too slow', () => {
  test('headers that do not come, the rest of a body that does not come', async () => {
    const server = await serve({ headersTimeoutMs: 100, requestTimeoutMs: 200 })
    const silent = await open(server)
    const half = await open(server)
    half.write('GET /health HTTP/1.1\r\nhost: x\r\n')
    const [withoutBody] = await begin(server)
    for (const connection of [silent, half, withoutBody]) {
      expect(await connection.answer()).toMatchObject(problem(408, 'request_timeout'))
      await connection.closed()
    }
  })

  test('a connection that is idle', async () => {
    const server = await serve({ keepAliveMs: 50 })
    const connection = await open(server)
    connection.write(`GET /health HTTP/1.1\r\n${HEAD}\r\n`)
    expect(await connection.answer()).toMatchObject({ status: 200 })
    await connection.closed()
  })
})

test.each([
  ['no HTTP', 'hello\r\n\r\n'],
  ['a header with a line break in its value', 'GET /health HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n'],
  ['two lengths', 'POST /v1/actors/user HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'],
  ['no host', 'GET /health HTTP/1.1\r\n\r\n'],
])('%s is answered with 400 and the connection ends', async (_, text) => {
  const connection = await open(runtime.server)
  connection.write(text)
  const [answer] = await Promise.allSettled([connection.answer()])
  // Node answers a missing host itself, without a body.
  if (answer.status === 'fulfilled') expect(answer.value).toMatchObject(problem(400, 'invalid_input'))
  await connection.closed()
})

describe('stopping', () => {
  test('a request under way is answered, one that comes is refused', async () => {
    const server = await serve({})
    const used = await open(server)
    used.write(`GET /health HTTP/1.1\r\n${HEAD}\r\n`)
    await used.answer()
    used.write(`GET /v1/audit HTTP/1.1\r\n${HEAD}`)
    const [underWay, body] = await begin(server)
    // Both are known to the server once it answers another one.
    await get(server, '/health')
    const closed = server.close()
    used.write('\r\n')
    expect(await used.answer()).toMatchObject(problem(503, 'shutting_down'))
    underWay.write(body)
    expect(await underWay.answer()).toMatchObject({ status: 422 })
    await closed
  })

  test('connections that never asked, and requests that never end, do not keep it', async () => {
    const server = await serve({ closeMs: 100 })
    const silent = await open(server)
    const [half] = await begin(server)
    await get(server, '/health')
    await server.close()
    await Promise.all([silent.closed(), half.closed()])
  })
})
