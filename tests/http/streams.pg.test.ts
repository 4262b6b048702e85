/** The event stream over HTTP: in order, without gaps or repeats, whoever writes and however often the client breaks off. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { startHttpServer } from '../../src/http/server.ts'
import { silentLogger } from '../../src/logging.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { openSse, type SseClient } from './sse-client.ts'

let runtime: TestRuntime
let stream: number
beforeAll(async () => {
  runtime = await startRuntime()
  stream = await newStream(runtime.node)
})
afterAll(() => runtime.stop())

const opened: SseClient[] = []
async function subscribe(
  query = '',
  headers: Record<string, string> = {},
  base = runtime.server.url,
): Promise<SseClient> {
  const client = await openSse(`${base}/v1/events/stream${query}`, TOKEN, headers)
  opened.push(client)
  return client
}
afterAll(() => {
  for (const client of opened) client.close()
})

let count = 0
async function newStream(node: RuntimeNode): Promise<number> {
  const name = `u${++count}`
  const user = await node.create('user', {
    type: 'user.registered',
    username: name,
    email: `${name}@example.org`,
    passwordHash: 'secret-hash',
  })
  const created = await node.create('stream', {
    type: 'stream.created',
    userId: user.actor.id,
    name: 'x',
    streamKey: `secret-key-${count}`,
  })
  await node.actor('stream', created.actor.id).send({ type: 'stream.started' })
  await node.actors.effectsIdle()
  return created.actor.id
}

async function join(node: RuntimeNode, times: number): Promise<void> {
  await Promise.all(Array.from({ length: times }, () => node.actor('stream', stream).send({ type: 'viewer.joined' })))
}

async function logAfter(position: number): Promise<readonly number[]> {
  const positions: number[] = []
  for (;;) {
    const page = await runtime.node.log.readAll(positions.at(-1) ?? position, 1_000)
    if (page.length === 0) return positions
    positions.push(...page.map(event => event.position))
  }
}

describe('what is told', () => {
  test('each event as in the history, with its position and type, and no secrets', async () => {
    const client = await subscribe()
    expect(client.status).toBe(200)
    expect(client.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(client.headers.get('cache-control')).toBe('no-store')
    const id = await newStream(runtime.node)
    const [, created, started] = await client.take(3)
    const history = await runtime.client.request('GET', `/v1/actors/stream/${id}/events`)
    const { events } = history.body as { events: { position: number }[] }
    expect(created).toEqual({ id: events[0]?.position, event: 'stream.created', data: events[0] })
    expect(started).toEqual({ id: events[1]?.position, event: 'stream.started', data: events[1] })
    expect(JSON.stringify(created)).not.toContain('secret')
    expect(client.asides).toContain('retry: 2000')
    client.close()
  })

  test('only what the topic names', async () => {
    const after = await runtime.node.log.head()
    const topics = ['viewer.*', 'viewer.joined', 'stream.*', 'stream.viewers.updated', 'nothing.here', '*']
    const live = await Promise.all(topics.map(topic => subscribe(`?topic=${topic}`)))
    await join(runtime.node, 2)
    await runtime.node.actor('stream', stream).send({ type: 'stream.viewers.updated', viewers: 7 })
    const late = await Promise.all(topics.map(topic => subscribe(`?topic=${topic}&after=${after}`)))
    const last = await runtime.node.actor('stream', stream).send({ type: 'stream.renamed', name: 'last' })
    const told = {
      'viewer.*': ['viewer.joined', 'viewer.joined'],
      'viewer.joined': ['viewer.joined', 'viewer.joined'],
      'stream.*': ['stream.viewers.updated', 'stream.renamed'],
      'stream.viewers.updated': ['stream.viewers.updated'],
      'nothing.here': [],
      '*': ['viewer.joined', 'viewer.joined', 'stream.viewers.updated', 'stream.renamed'],
    }
    for (const clients of [live, late]) {
      // Whoever hears everything has heard the last one, so the others have been told what there is for them.
      const all = await clients.at(-1)?.take(4)
      expect(all?.at(-1)?.id).toBe(last.ok && !last.tentative && last.event.position)
      for (const [index, topic] of topics.slice(0, -1).entries()) {
        const expected = told[topic as keyof typeof told]
        expect(
          (await clients[index]?.take(expected.length))?.map(({ event }) => event),
          topic,
        ).toEqual(expected)
      }
    }
    for (const client of [...live, ...late]) client.close()
    for (const client of [...live, ...late]) expect(await client.rest()).toEqual([])
  })

  test('from a position, after one, and after the one the client had last, which goes first', async () => {
    const head = await runtime.node.log.head()
    await join(runtime.node, 3)
    const [first = 0, second = 0, third = 0] = await logAfter(head)
    const firstOf = async (query: string, headers = {}) => {
      const client = await subscribe(query, headers)
      const [event] = await client.take(1)
      client.close()
      return event?.id
    }
    expect(await firstOf(`?from=${second}`)).toBe(second)
    expect(await firstOf(`?after=${second}`)).toBe(third)
    expect(await firstOf(`?after=${head}`)).toBe(first)
    expect(await firstOf(`?after=${head}`, { 'last-event-id': String(second) })).toBe(third)
    expect(await firstOf('?from=0')).toBe((await logAfter(0))[0])
  })

  test.each([
    ['a malformed topic', '?topic=stream.**', {}],
    ['an empty topic', '?topic=', {}],
    ['a topic twice', '?topic=a&topic=b', {}],
    ['no position', '?after=-1', {}],
    ['from and after', '?after=1&from=1', {}],
    ['a position past the end of the log', '?after=9007199254740991', {}],
    ['a last id that is none', '', { 'last-event-id': '1e3' }],
    ['an unknown parameter', '?topics=stream', {}],
  ])('%s is refused', async (_, query, headers) => {
    expect(await runtime.client.request('GET', `/v1/events/stream${query}`, { headers })).toMatchObject({
      status: 400,
      headers: { 'content-type': expect.stringContaining('application/problem+json') },
      body: { code: 'invalid_input' },
    })
  })

  test('nobody without the token', async () => {
    const answer = await fetch(`${runtime.server.url}/v1/events/stream`)
    expect(answer.status).toBe(401)
    await answer.body?.cancel()
  })
})

describe('order', () => {
  test('a client that breaks off again and again hears everything once, while others write', async () => {
    const start = await runtime.node.log.head()
    const heard: number[] = []
    const writing = (async () => {
      for (let round = 0; round < 40; round++) await join(runtime.node, 10)
    })()
    while (heard.length < 400) {
      const client = await subscribe('', { 'last-event-id': String(heard.at(-1) ?? start) })
      heard.push(...(await client.take(Math.min(37, 400 - heard.length))).map(({ id }) => id))
      client.close()
    }
    await writing
    expect(heard).toEqual(await logAfter(start))
  })

  test('clients that come while much is written hear everything from where they asked', async () => {
    const start = await runtime.node.log.head()
    const clients: SseClient[] = []
    for (let round = 0; round < 20; round++) {
      const writing = join(runtime.node, 30)
      clients.push(await subscribe(`?after=${start}`), await subscribe())
      await writing
    }
    // So that there is something to hear for those who came last.
    await join(runtime.node, 1)
    const positions = await logAfter(start)
    expect(positions).toHaveLength(601)
    for (const [index, client] of clients.entries()) {
      const [first] = await client.take(1)
      const from = positions.indexOf(first?.id ?? 0)
      if (index % 2 === 0) expect(from).toBe(0)
      const rest = await client.take(600 - from)
      expect(rest.map(({ id }) => id)).toEqual(positions.slice(from + 1))
      client.close()
      expect(await client.rest()).toEqual([])
    }
  })

  test('what another process appends is told too, in its place', async () => {
    const other = await createNode({
      database: runtime.database.url,
      name: 'other',
      keys: TEST_KEYS,
      log: silentLogger,
    })
    try {
      const start = await runtime.node.log.head()
      const client = await subscribe('?topic=viewer.*')
      await Promise.all([join(runtime.node, 20), join(other, 20)])
      const heard = await client.take(40)
      expect(heard.map(({ id }) => id)).toEqual(await logAfter(start))
      expect(new Set(heard.map(({ data }) => data['node']))).toEqual(new Set(['test', 'other']))
      client.close()
    } finally {
      await other.close()
    }
  })

  test('many subscribers hear the same', async () => {
    const start = await runtime.node.log.head()
    const clients = await Promise.all(Array.from({ length: 100 }, () => subscribe('?topic=viewer.*')))
    await join(runtime.node, 50)
    const positions = await logAfter(start)
    for (const client of clients) {
      expect((await client.take(50)).map(({ id }) => id)).toEqual(positions)
      client.close()
    }
  })
})

describe('limits and the end', () => {
  test('more streams than the server serves are refused, and a place is free again when one has gone', async () => {
    const server = await startHttpServer({
      node: runtime.node,
      host: '127.0.0.1',
      port: 0,
      token: TOKEN,
      log: silentLogger,
      limits: { eventStreams: 2 },
    })
    try {
      const [first] = await Promise.all([subscribe('', {}, server.url), subscribe('', {}, server.url)])
      const third = await subscribe('', {}, server.url)
      expect(third.status).toBe(503)
      expect(third.headers.get('retry-after')).toBe('1')
      first?.close()
      let again = third
      while (again.status === 503) again = await subscribe('', {}, server.url)
      expect(again.status).toBe(200)
    } finally {
      await server.close()
    }
  })

  test('a server that stops ends its streams and does not wait for them', async () => {
    const server = await startHttpServer({
      node: runtime.node,
      host: '127.0.0.1',
      port: 0,
      token: TOKEN,
      log: silentLogger,
    })
    const clients = await Promise.all(Array.from({ length: 20 }, () => subscribe('?topic=viewer.*', {}, server.url)))
    await join(runtime.node, 1)
    for (const client of clients) await client.take(1)
    await server.close()
    for (const client of clients) expect(await client.rest()).toEqual([])
    await expect(fetch(server.url)).rejects.toThrow()
  })
})
