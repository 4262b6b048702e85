/** Event streams below the API: slow clients, silence, a log that cannot be read. */
import { once } from 'node:events'
import http, { type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
import type { Clock } from '../../src/core/ports.ts'
import { createEventStreams, type EventStreams } from '../../src/http/streams/event-streams.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { openSse } from './sse-client.ts'

const BUFFER = 256 * 1024

interface Served {
  readonly node: RuntimeNode
  readonly streams: EventStreams
  readonly url: string
  /** The answers that were begun, in order. */
  readonly answers: ServerResponse[]
}

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Streams of a node in memory behind a plain HTTP server. */
async function serve(options: { clock?: Clock; wrap?: (node: RuntimeNode) => RuntimeNode } = {}): Promise<Served> {
  const made = await createNode({ memory: true, name: 'memory', log: silentLogger })
  cleanups.push(() => made.close())
  const node = options.wrap?.(made) ?? made
  const streams = createEventStreams({ node, clock: options.clock ?? systemClock, log: silentLogger, limit: 10 })
  const answers: ServerResponse[] = []
  const server = http.createServer(async (request, response) => {
    const query = new URL(request.url ?? '/', 'http://x').searchParams
    const after = query.get('after')
    const begin = await streams.prepare(query.get('topic') ?? '*', after === null ? undefined : Number(after))
    answers.push(response)
    begin(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(async () => {
    await streams.stop()
    server.close()
    await once(server, 'close')
  })
  return { node, streams, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answers }
}

async function stream(node: RuntimeNode): Promise<number> {
  const user = await node.create('user', {
    type: 'user.registered',
    username: 'u',
    email: 'u@example.org',
    passwordHash: 'x',
  })
  const created = await node.create('stream', {
    type: 'stream.created',
    userId: user.actor.id,
    name: 'x',
    streamKey: 'k',
  })
  return created.actor.id
}

/** Asks for the stream and reads nothing of it. */
async function openSlow(url: string, query: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.pause()
  await once(socket, 'connect')
  socket.write(`GET /${query} HTTP/1.1\r\nhost: x\r\n\r\n`)
  return socket
}

async function describeMuch(node: RuntimeNode, id: number, times: number): Promise<void> {
  for (let n = 0; n < times; n++)
    await node.actor('stream', id).send({ type: 'stream.described', description: `${n} `.padEnd(10_000, 'x') })
}

/** The numbers of the descriptions a socket receives, until it has as many as asked for. */
async function readNumbers(socket: Socket, wanted: number): Promise<number[]> {
  let text = ''
  const numbers: number[] = []
  socket.setEncoding('utf8').on('data', chunk => {
    text += chunk
    const whole = text.lastIndexOf('\n\n')
    if (whole < 0) return
    for (const [, number] of text.slice(0, whole).matchAll(/"description":"(\d+) /g)) numbers.push(Number(number))
    text = text.slice(whole)
  })
  socket.resume()
  while (numbers.length < wanted) await once(socket, 'data')
  return numbers
}

test.each(['live', 'catching up'])('a slow client, %s, costs a buffer and loses nothing', async phase => {
  const { node, url, answers } = await serve()
  const id = await stream(node)
  const start = await node.log.head()
  const total = 2_000
  if (phase === 'catching up') await describeMuch(node, id, total)
  const socket = await openSlow(url, `?topic=stream.*&after=${start}`)
  while (answers.length === 0) await new Promise(setImmediate)
  const [answer] = answers
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, answer?.writableLength ?? 0)
  }, 1)
  if (phase === 'live') await describeMuch(node, id, total)
  // 20 MB are on their way to a client that reads nothing: the answer is full, and stays as it is.
  while ((answer?.writableLength ?? 0) < BUFFER) await new Promise(setImmediate)
  const quick = await openSse(`${url}/?topic=stream.*&after=${start}`, 'x')
  expect(await quick.take(total)).toHaveLength(total)
  expect(await readNumbers(socket, total)).toEqual(Array.from({ length: total }, (_, n) => n))
  clearInterval(watch)
  expect(most).toBeGreaterThan(BUFFER)
  expect(most).toBeLessThan(BUFFER + 20_000)
  await describeMuch(node, id, 1)
  await quick.take(1)
  quick.close()
  socket.destroy()
})

test('silence is broken by heartbeats; a client that reads nothing for a minute is let go', async () => {
  const clock = createManualClock()
  const { node, url, answers, streams } = await serve({ clock })
  const id = await stream(node)
  const start = await node.log.head()
  const client = await openSse(url, 'x')
  clock.advance(15_000)
  await client.aside(': heartbeat')
  await describeMuch(node, id, 2_000)
  await client.take(2_000)

  const slow = await openSlow(url, `?after=${start}`)
  while ((answers[1]?.writableLength ?? 0) < BUFFER) await new Promise(setImmediate)
  const gone = once(answers[1] as ServerResponse, 'close')
  // The first heartbeat takes down how far it is, four more find it there.
  for (let beat = 1; beat <= 5; beat++) {
    clock.advance(15_000)
    while (client.asides.filter(aside => aside === ': heartbeat').length < beat + 1) await new Promise(setImmediate)
  }
  await gone
  slow.destroy()
  while (streams.open > 1) await new Promise(setImmediate)
  await describeMuch(node, id, 1)
  expect(await client.take(1)).toHaveLength(1)
  client.close()
})

test('a log that cannot be read for a while leaves no gap', async () => {
  let away = false
  const clock = createManualClock()
  const { node, url } = await serve({
    clock,
    wrap: made => ({
      ...made,
      log: {
        ...made.log,
        head: () => made.log.head(),
        readAll: (after, limit) =>
          away ? Promise.reject(new AppError('log_unavailable', 'away')) : made.log.readAll(after, limit),
      },
    }),
  })
  const id = await stream(node)
  const [live, behind] = await Promise.all([openSse(url, 'x'), openSse(`${url}/?after=0`, 'x')])
  await behind.take(2)
  away = true
  await describeMuch(node, id, 5)
  const late = await openSse(`${url}/?after=0`, 'x')
  away = false
  while (clock.pending < 2) await new Promise(setImmediate)
  clock.advance(1_000)
  expect((await live.take(5)).map(({ event }) => event)).toEqual(Array(5).fill('stream.described'))
  expect(await behind.take(5)).toHaveLength(5)
  clock.advance(1_000)
  expect((await late.take(7)).map(({ data }) => data['version'])).toEqual([1, 1, 2, 3, 4, 5, 6])
  for (const client of [live, behind, late]) client.close()
})

test('streams that stop end every client, also one that reads nothing', async () => {
  const { node, url, answers, streams } = await serve()
  const id = await stream(node)
  await describeMuch(node, id, 2_000)
  const slow = await openSlow(url, '?after=0')
  while ((answers[0]?.writableLength ?? 0) < BUFFER) await new Promise(setImmediate)
  const client = await openSse(url, 'x')
  const gone = once(answers[0] as ServerResponse, 'close')
  await streams.stop()
  expect(await client.rest()).toEqual([])
  await gone
  expect(streams.open).toBe(0)
  await expect(streams.prepare('*', undefined)).rejects.toMatchObject({ code: 'shutting_down' })
  slow.destroy()
})
