/** The Redis bus on a real server: the promises of every bus, and what losing frames and links leads to. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { FRAME_BYTES } from '../../src/sync/frame.ts'
import { createRedisBus } from '../../src/sync/redis-bus.ts'
import { channelOf, frameChannels } from '../../src/sync/redis-link.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { redisCli } from '../support/redis-cli.ts'
import { describeBus } from './bus-conformance.ts'
import { eventually } from './eventually.ts'
import { frameKey, signedFrame } from './frame-key.ts'
import { logEvent } from './log-events.ts'
import { freePort, type PrivateRedis, startPrivateRedis } from './private-redis.ts'
import { createMembers, say } from './redis-members.ts'

let server: PrivateRedis
let url: string
let admin: Redis

beforeAll(async () => {
  server = await startPrivateRedis()
  url = `redis://127.0.0.1:${server.port}`
  admin = new Redis(url)
})
afterAll(async () => {
  admin.disconnect()
  await server.stop()
})

describeBus('the Redis bus', async () => {
  const namespace = randomUUID()
  return {
    join: (node, incarnation, log) =>
      createRedisBus({ url, node, incarnation, namespace, key: frameKey, log, clock: systemClock }),
    close: async () => {},
  }
})

const { member, joined } = createMembers(() => url)

async function clientId(name: string): Promise<string> {
  const list = String(await admin.client('LIST'))
  const line = list.split('\n').find(text => text.includes(` name=${name} `))
  const id = /^id=(\d+) /.exec(line ?? '')?.[1]
  if (id === undefined) throw new Error(`no client ${name} in:\n${list}`)
  return id
}

/** Speaks on a bus's channel as a node that is not there; objects are signed. */
function speak(namespace: string, frame: object | string): Promise<number> {
  const channel = channelOf('speaker', frameChannels(namespace, 0))
  return admin.publish(channel, typeof frame === 'string' ? frame : signedFrame(frame))
}

function spoken(seq: number, change: object = {}): object {
  return { kind: 'events', node: 'speaker', incarnation: 9, order: seq, seq, events: [logEvent(seq)], ...change }
}

test('a listener whose connection breaks catches up when Redis has taken its subscription again', async () => {
  const namespace = randomUUID()
  const a = await joined({ namespace, node: 'a' })
  const b = await joined({ namespace, node: 'b' })
  say(a, 1)
  await eventually(() => expect(b.heard).toEqual([1]))
  await admin.client('KILL', 'ID', await clientId('rootstream:b:subscriber'))
  await eventually(() => expect(b.bus.healthy).toBe(false))
  say(a, 2)
  await eventually(() => expect(b.gaps).toBe(1))
  say(a, 3)
  await eventually(() => expect(b.heard.at(-1)).toBe(3))
  expect(b.bus.healthy).toBe(true)
})

test('a publisher whose connection breaks sends what came meanwhile, once and in order', async () => {
  const namespace = randomUUID()
  const a = await joined({ namespace, node: 'a' })
  const b = await joined({ namespace, node: 'b' })
  await admin.client('KILL', 'ID', await clientId('rootstream:a'))
  await eventually(() => expect(a.bus.healthy).toBe(false))
  for (let position = 1; position <= 100; position++) say(a, position)
  await eventually(() => expect(b.heard).toHaveLength(100))
  expect(b.heard).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
  expect(b.bus.stats()).toMatchObject({ repeated: 0, framesReceived: 100 })
})

test('past its bound a publisher drops frames, and the next sign of life gives them away', async () => {
  const namespace = randomUUID()
  const clock = createManualClock()
  const a = await joined({ namespace, node: 'a', clock, maxWaitingBytes: 2_000 })
  const b = await joined({ namespace, node: 'b' })
  await admin.client('KILL', 'ID', await clientId('rootstream:a'))
  await eventually(() => expect(a.bus.healthy).toBe(false))
  for (let position = 1; position <= 100; position++) say(a, position)
  const kept = 100 - a.bus.stats().unsent
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(10)
  await eventually(() => expect(a.bus.healthy).toBe(true))
  // The sign of life that follows the kept frames names number 100.
  await eventually(() => expect(b.gaps).toBeGreaterThan(0))
  expect(b.heard).toEqual(Array.from({ length: kept }, (_, index) => index + 1))
})

test('a lost final frame is noticed at the next heartbeat', async () => {
  const namespace = randomUUID()
  const clock = createManualClock()
  const b = await joined({ namespace, node: 'b' })
  // No frame of this node fits: each is lost, and nothing follows it.
  const a = await joined({ namespace, node: 'a', clock, maxWaitingBytes: 10 })
  say(a, 1)
  expect(a.bus.stats()).toMatchObject({ unsent: 1, dropped: 1 })
  expect(b.gaps).toBe(0)
  clock.advance(1_000)
  await eventually(() => expect(b.gaps).toBe(1))
  expect(b.heard).toEqual([])
})

test('numbers tell a lost frame, a repeated one and a late one apart', async () => {
  const namespace = randomUUID()
  const { bus, heard, ...rest } = await joined({ namespace, node: 'a' })
  let gaps = rest.gaps
  bus.onGap(() => void gaps++)
  await speak(namespace, spoken(1))
  await speak(namespace, spoken(2))
  await eventually(() => expect(heard).toEqual([1, 2]))
  expect(gaps).toBe(0)
  await speak(namespace, spoken(4))
  await eventually(() => expect(heard).toEqual([1, 2, 4]))
  expect(gaps).toBe(1)
  await speak(namespace, spoken(4))
  await speak(namespace, spoken(3))
  await speak(namespace, spoken(5))
  await eventually(() => expect(heard).toEqual([1, 2, 4, 5]))
  expect(gaps).toBe(1)
  expect(bus.stats()).toMatchObject({ repeated: 2, dropped: 2, framesReceived: 4 })
  // A new start of the sender counts from one again.
  await speak(namespace, spoken(1, { incarnation: 10, events: [logEvent(6)] }))
  await eventually(() => expect(heard).toEqual([1, 2, 4, 5, 6]))
  expect(gaps).toBe(1)
})

test('a node that falls silent without a farewell may have said something last', async () => {
  const namespace = randomUUID()
  const clock = createManualClock()
  const b = await joined({ namespace, node: 'b', clock })
  await speak(namespace, spoken(1))
  await eventually(() => expect(b.heard).toEqual([1]))
  for (let second = 1; second <= 4; second++) clock.advance(1_000)
  expect(b.gaps).toBe(0)
  clock.advance(1_000)
  expect(b.gaps).toBe(1)
  for (let second = 1; second <= 4; second++) clock.advance(1_000)
  expect(b.gaps).toBe(1)
})

test('a node that stops in good order is not missed', async () => {
  const namespace = randomUUID()
  const clock = createManualClock()
  const b = await joined({ namespace, node: 'b', clock })
  const c = await joined({ namespace, node: 'c' })
  say(c, 1)
  await c.bus.stop()
  for (let second = 1; second <= 4; second++) clock.advance(1_000)
  // Arrives after the farewell, and would come too late to be silent for long enough itself.
  await speak(namespace, spoken(1, { events: [logEvent(2)] }))
  await eventually(() => expect(b.heard).toEqual([1, 2]))
  for (let second = 1; second <= 4; second++) clock.advance(1_000)
  expect(b.gaps).toBe(0)
})

test('a batch too large for one frame is split and arrives whole', async () => {
  const namespace = randomUUID()
  const a = await joined({ namespace, node: 'a' })
  const b = await joined({ namespace, node: 'b' })
  // Two bytes a letter: bytes count, not letters.
  const events = Array.from({ length: 100 }, (_, index) => logEvent(index + 1, { data: { text: 'ü'.repeat(25_000) } }))
  a.bus.publish({ node: 'a', incarnation: 1, events })
  await eventually(() => expect(b.heard).toHaveLength(100))
  expect(b.heard).toEqual(events.map(event => event.position))
  expect(b.bus.stats()).toMatchObject({ dropped: 0, framesReceived: Math.ceil((100 * 50_400) / FRAME_BYTES) })
  expect(b.gaps).toBe(0)
})

test('a batch that cannot be written costs a number, not the caller', async () => {
  const namespace = randomUUID()
  const a = await joined({ namespace, node: 'a' })
  const b = await joined({ namespace, node: 'b' })
  const unwritable = { toJSON: () => Promise.reject(new Error('never called')) }
  Object.assign(unwritable, {
    toJSON() {
      throw new Error('not JSON')
    },
  })
  a.bus.publish({ node: 'a', incarnation: 1, events: [{ ...logEvent(1), data: unwritable as never }] })
  expect(a.bus.stats().unsent).toBe(1)
  say(a, 2)
  await eventually(() => expect(b.heard).toEqual([2]))
  expect(b.gaps).toBe(1)
})

test('runtimes with different databases or different indexes on one Redis do not hear each other', async () => {
  const namespace = randomUUID()
  const stranger = await joined({ namespace: randomUUID(), node: 'stranger' })
  const elsewhere = await joined({ namespace, node: 'elsewhere', url: `${url}/3` })
  const a = await joined({ namespace, node: 'a' })
  const sameIndex = await joined({ namespace, node: 'same-index', url: `${url}/3` })
  say(stranger, 1)
  say(a, 2)
  await eventually(() => expect([stranger, a].map(({ bus }) => bus.stats().framesSent)).toEqual([1, 1]))
  say(elsewhere, 3)
  await eventually(() => expect(sameIndex.heard).toEqual([3]))
  expect([stranger.heard, a.heard, elsewhere.heard]).toEqual([[], [], []])
})

test('a node starts without Redis, says so once, and joins when it comes', async () => {
  const port = await freePort()
  const log = createRecordingLog()
  const namespace = randomUUID()
  const options = { namespace, url: `redis://user:hunter2@127.0.0.1:${port}` }
  const a = member({ ...options, node: 'a', log })
  await a.bus.start()
  expect(a.bus.healthy).toBe(false)
  const warnings = () => log.lines.filter(({ level }) => level === 'warn')
  expect(warnings()).toHaveLength(1)
  say(a, 1)
  const late = await startPrivateRedis({ port, settings: ['--user', 'user', 'on', '>hunter2', '&*', '+@all'] })
  onTestFinished(() => late.stop())
  await eventually(() => expect(a.bus.healthy).toBe(true))
  await eventually(() => expect(a.gaps).toBe(1))
  expect(warnings()).toHaveLength(1)
  const b = await joined({ ...options, node: 'b' })
  say(a, 2)
  await eventually(() => expect(b.heard).toEqual([2]))
  expect(JSON.stringify(log.lines)).not.toContain('hunter2')
  await a.bus.stop()
  await b.bus.stop()
})

test('a Redis that restarts is a gap for everyone', async () => {
  const first = await startPrivateRedis()
  const namespace = randomUUID()
  const own = { namespace, url: `redis://127.0.0.1:${first.port}` }
  const a = await joined({ ...own, node: 'a' })
  const b = await joined({ ...own, node: 'b' })
  await first.stop()
  await eventually(() => expect([a.bus.healthy, b.bus.healthy]).toEqual([false, false]))
  const second = await startPrivateRedis({ port: first.port })
  onTestFinished(() => second.stop())
  await eventually(() => expect([a.bus.healthy, b.bus.healthy]).toEqual([true, true]))
  await eventually(() => expect(Math.min(a.gaps, b.gaps)).toBeGreaterThan(0))
  say(a, 1)
  await eventually(() => expect(b.heard).toEqual([1]))
  await a.bus.stop()
  await b.bus.stop()
})

test('an address that leads to another server is followed by both connections, also where it broke one of them alone', async () => {
  const [before, after] = [await startPrivateRedis(), await startPrivateRedis()]
  // As a name or a balancer does: connections that are open stay where they are.
  let target = before.port
  const address = createServer(client => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.pipe(upstream).pipe(client)
  })
  address.listen(0, '127.0.0.1')
  await once(address, 'listening')
  onTestFinished(async () => {
    await Promise.all([before.stop(), after.stop()])
    address.close()
  })
  const port = (address.address() as AddressInfo).port
  const own = { namespace: randomUUID(), url: `redis://127.0.0.1:${port}`, clock: systemClock }
  const [a, b] = [await joined({ ...own, node: 'a' }), await joined({ ...own, node: 'b' })]
  target = after.port
  await redisCli(before.port, 'client', 'kill', 'type', 'pubsub')
  let position = 0
  await eventually(() => {
    say(a, ++position)
    expect(b.heard.length).toBeGreaterThan(0)
  })
})

test('a frozen Redis stops neither publishing nor the bound on what waits, and is given up on', async () => {
  const frozen = await startPrivateRedis()
  onTestFinished(() => frozen.stop())
  const namespace = randomUUID()
  const clock = createManualClock()
  const own = { namespace, url: `redis://127.0.0.1:${frozen.port}` }
  const a = await joined({ ...own, node: 'a', clock, maxWaitingBytes: 50_000 })
  const b = await joined({ ...own, node: 'b' })
  frozen.signal('SIGSTOP')
  for (let position = 1; position <= 1_000; position++) say(a, position)
  expect(a.bus.stats().unsent).toBeGreaterThan(800)
  for (let second = 1; second <= 7; second++) clock.advance(1_000)
  await eventually(() => expect(a.bus.healthy).toBe(false))
  frozen.signal('SIGCONT')
  await eventually(() => expect(a.bus.healthy).toBe(true))
  await eventually(() => expect(a.gaps).toBeGreaterThan(0))
  // Each is accounted for: answered, or given up.
  await eventually(() => expect(a.bus.stats().framesSent + a.bus.stats().unsent).toBe(1_000))
  clock.advance(1_000)
  await eventually(() => expect(b.gaps).toBeGreaterThan(0))
  await a.bus.stop()
  await b.bus.stop()
})

test('frames under way when Redis dies are accounted for, and not sent again behind later ones', async () => {
  const dying = await startPrivateRedis()
  onTestFinished(() => dying.stop())
  const a = await joined({ namespace: randomUUID(), node: 'a', url: `redis://127.0.0.1:${dying.port}` })
  dying.signal('SIGSTOP')
  for (let position = 1; position <= 3; position++) say(a, position)
  dying.signal('SIGKILL')
  await eventually(() => expect(a.bus.stats()).toMatchObject({ framesSent: 0, unsent: 3 }))
  await a.bus.stop()
})
