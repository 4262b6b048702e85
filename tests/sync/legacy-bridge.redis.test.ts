/** The Redis keys of 24.2, kept from the log: what a reader of 24.2 sees, through redis-cli on a real server. */
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import type { OutgoingEvent } from '../../src/machines/define.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type LegacySubscriber, redisCli, subscribeLegacy } from '../support/redis-cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from './eventually.ts'
import { type PrivateRedis, startPrivateRedis } from './private-redis.ts'

let database: TestDatabase
let redis: PrivateRedis
let reader: LegacySubscriber
const nodes: RuntimeNode[] = []
beforeEach(async () => {
  database = await createTestDatabase()
  redis = await startPrivateRedis()
  reader = await subscribeLegacy(redis.port)
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
  await reader.stop()
  await redis.stop()
  await database.drop()
})

const address = () => `redis://127.0.0.1:${redis.port}`
async function start(options: NodeOptions = {}): Promise<RuntimeNode> {
  const node = await createNode({
    ...{ database: database.url, redis: address(), legacyRedis: true, name: `n${nodes.length}` },
    ...{ keys: TEST_KEYS, log: silentLogger, ...options },
  })
  nodes.push(node)
  return node
}
const legacyOf = async (node: RuntimeNode) => {
  const { detail } = (await node.health()).components.bus
  return detail['legacy'] as { bridging: number; written: number; failures: number }
}
const bridging = (node: RuntimeNode) => eventually(async () => expect((await legacyOf(node)).bridging).toBe(1))
const cli = (...args: (string | number)[]) => redisCli(redis.port, ...args)

let count = 0
async function newStream(node: RuntimeNode): Promise<number> {
  const name = `ada${++count}`
  const user = await node.create('user', {
    ...{ type: 'user.registered', username: name, email: `${name}@example.org`, passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  const stream = await node.create('stream', {
    ...{ type: 'stream.created', userId: user.actor.id, name: 'Mine', streamKey: name },
  })
  if (!stream.ok) throw new Error(stream.reason)
  return stream.actor.id
}
async function send(node: RuntimeNode, id: number, ...events: (string | OutgoingEvent)[]): Promise<void> {
  for (const event of events) {
    const result = await node.actor('stream', id).send(typeof event === 'string' ? { type: event } : event)
    if (!result.ok) throw new Error(result.reason)
  }
}
const heard = (id: number) => reader.heard.filter(line => line.startsWith(`stream:${id}:`))
const keysOf = async (id: number) => ({
  live: await cli('get', `stream:${id}:live`),
  viewers: await cli('get', `stream:${id}:viewers`),
})

describe('on one node', () => {
  test('a stream goes live, is watched and ends', async () => {
    const node = await start()
    const id = await newStream(node)
    await send(node, id, 'stream.started', 'viewer.joined', 'viewer.joined', 'viewer.joined', 'viewer.left')
    await eventually(async () => expect(await keysOf(id)).toEqual({ live: '1', viewers: '2' }))
    const ttl = async (key: string) => Number(await cli('ttl', `stream:${id}:${key}`))
    expect(await ttl('live')).toBeGreaterThan(3_000)
    expect(await ttl('live')).toBeLessThanOrEqual(3_600)
    expect(await ttl('viewers')).toBeGreaterThan(200)
    expect(await ttl('viewers')).toBeLessThanOrEqual(300)
    await send(node, id, { type: 'stream.viewers.updated', viewers: 150 })
    await eventually(async () => expect((await keysOf(id)).viewers).toBe('150'))
    await send(node, id, 'stream.stopped')
    await eventually(async () => expect(await keysOf(id)).toEqual({ live: '', viewers: '' }))
    expect(heard(id)).toEqual([`stream:${id}:events started`, `stream:${id}:events ended`])
  })

  test('each time on air is told, in order, also where they follow each other at once', async () => {
    const node = await start()
    const ids = [await newStream(node), await newStream(node)]
    for (const id of ids)
      for (let n = 0; n < 5; n++) await send(node, id, 'stream.started', 'viewer.joined', 'stream.stopped')
    await send(node, ids[0] ?? 0, 'stream.started')
    await send(node, ids[0] ?? 0, 'stream.deleted')
    await send(node, ids[1] ?? 0, 'stream.deleted')
    const pair = (id: number) => [`stream:${id}:events started`, `stream:${id}:events ended`]
    await eventually(() => {
      expect(heard(ids[0] ?? 0)).toEqual(Array.from({ length: 6 }, () => pair(ids[0] ?? 0)).flat())
      expect(heard(ids[1] ?? 0)).toEqual(Array.from({ length: 5 }, () => pair(ids[1] ?? 0)).flat())
    })
  })

  test('keys that were lost come back, and stale ones go; foreign ones are left alone', async () => {
    const before = await start({ legacyRedis: false })
    const [live, over] = [await newStream(before), await newStream(before)]
    await send(before, live, 'stream.started', 'viewer.joined')
    await cli('set', `stream:${over}:live`, '1', 'EX', 3_600)
    await cli('set', `stream:${over}:viewers`, '9', 'EX', 300)
    await cli('set', 'stream:4242:live', '1', 'EX', 3_600)
    await cli('set', 'stream:x:live', '1')
    await bridging(await start())
    await eventually(async () => expect(await keysOf(live)).toEqual({ live: '1', viewers: '1' }))
    expect(await keysOf(over)).toEqual({ live: '', viewers: '' })
    expect([await cli('get', 'stream:4242:live'), await cli('get', 'stream:x:live')]).toEqual(['1', '1'])
    expect([heard(live), heard(over)]).toEqual([[`stream:${live}:events started`], [`stream:${over}:events ended`]])
  })

  test('Redis that comes back empty is filled again, and nobody waited for it', async () => {
    const node = await start()
    const [one, two] = [await newStream(node), await newStream(node)]
    await send(node, one, 'stream.started', 'viewer.joined')
    await eventually(async () => expect((await keysOf(one)).live).toBe('1'))
    await redis.stop()
    await send(node, two, 'stream.started')
    await eventually(async () => expect((await legacyOf(node)).failures).toBeGreaterThan(0))
    redis = await startPrivateRedis({ port: redis.port })
    await eventually(async () => {
      expect(await keysOf(one)).toEqual({ live: '1', viewers: '1' })
      expect(await keysOf(two)).toEqual({ live: '1', viewers: '0' })
    })
  })

  test('without the flag nothing is written, and without Redis the flag is refused', async () => {
    const node = await start({ legacyRedis: false })
    await send(node, await newStream(node), 'stream.started')
    await node.projections.caughtUp()
    expect(await cli('keys', '*')).toBe('')
    expect((await node.health()).components.bus.detail['legacy']).toBeUndefined()
    await expect(createNode({ memory: true, legacyRedis: true, log: silentLogger })).rejects.toMatchObject({
      code: 'invalid_input',
    })
  })
})

describe('on several nodes', () => {
  test('one of them does it, and when it is killed another goes on where it stood', async () => {
    const home = await temporaryFolder('legacy-bridge')
    const killed = await startNodeProcess({
      ...{ DATABASE_URL: database.url, REDIS_URL: address(), ROOTSTREAM_LEGACY_REDIS: 'true' },
      ...{ ROOTSTREAM_HTTP_PORT: '0', ROOTSTREAM_HOME: home, ROOTSTREAM_NODE: 'killed', LOG_LEVEL: 'silent' },
    })
    await eventually(async () => expect(await cli('keys', 'rootstream:legacy-bridge:*')).not.toBe(''))
    const node = await start()
    const [stays, stops, comes] = [await newStream(node), await newStream(node), await newStream(node)]
    await send(node, stays, 'stream.started')
    await send(node, stops, 'stream.started')
    await eventually(async () => expect([(await keysOf(stays)).live, (await keysOf(stops)).live]).toEqual(['1', '1']))
    expect((await legacyOf(node)).bridging).toBe(0)

    await killed.kill()
    await send(node, stops, 'stream.stopped', 'stream.started', 'stream.stopped')
    await send(node, comes, 'stream.started')
    await bridging(node)
    await eventually(async () => {
      expect(await keysOf(stays)).toMatchObject({ live: '1' })
      expect(await keysOf(stops)).toEqual({ live: '', viewers: '' })
      expect(await keysOf(comes)).toMatchObject({ live: '1' })
    })
    const told = (id: number, ...what: string[]) => what.map(text => `stream:${id}:events ${text}`)
    expect(heard(stays)).toEqual(told(stays, 'started'))
    expect(heard(stops)).toEqual(told(stops, 'started', 'ended', 'started', 'ended'))
    expect(heard(comes)).toEqual(told(comes, 'started'))
    await rm(home, { recursive: true, force: true })
  })
})
