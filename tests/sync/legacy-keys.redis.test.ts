/** The mark over the keys of 24.2, and that they are renewed before they run out. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { actorRef } from '../../src/core/ids.ts'
import { silentLogger } from '../../src/logging.ts'
import { createLegacyBridge } from '../../src/sync/legacy-bridge.ts'
import { type LegacyKeys, openLegacyKeys } from '../../src/sync/legacy-keys.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { redisCli } from '../support/redis-cli.ts'
import { eventually } from './eventually.ts'
import { freePort, type PrivateRedis, startPrivateRedis } from './private-redis.ts'
import { startToldSentinel } from './told-sentinel.ts'

let redis: PrivateRedis
const opened: LegacyKeys[] = []
beforeEach(async () => {
  redis = await startPrivateRedis()
})
afterEach(async () => {
  for (const keys of opened.splice(0)) keys.close()
  await redis.stop()
})

const cli = (...args: (string | number)[]) => redisCli(redis.port, ...args)
function open(onClosed = () => {}, db = 0, url = `redis://127.0.0.1:${redis.port}/${db}`): LegacyKeys {
  const keys = openLegacyKeys({ url, node: 'test', namespace: 'log', clock: systemClock, onClosed })
  opened.push(keys)
  return keys
}
async function claimed(token: number): Promise<LegacyKeys> {
  const keys = open()
  await keys.connect()
  await keys.claim(token)
  return keys
}

test('a holder goes on where the one before stood', async () => {
  const first = open()
  await first.connect()
  expect(await first.claim(1)).toBeUndefined()
  await first.write([{ kind: 'started', id: 1, viewers: 5 }], { token: 1, position: 42 })
  const second = open()
  await second.connect()
  expect(await second.claim(2)).toBe(42)
  expect([...(await second.liveIds())]).toEqual([1])
})

test('a holder that was replaced writes nothing any more', async () => {
  const [old, current] = [await claimed(1), await claimed(2)]
  await current.write([{ kind: 'started', id: 1, viewers: 0 }], { token: 2, position: 10 })
  await expect(old.write([{ kind: 'ended', id: 1 }], { token: 1, position: 11 })).rejects.toThrow('taken over')
  await expect(old.claim(1)).rejects.toThrow('taken over')
  expect(await cli('get', 'stream:1:live')).toBe('1')
  await current.write([{ kind: 'ended', id: 1 }], { token: 2, position: 12 })
  expect(await cli('keys', 'stream:*')).toBe('')
})

test('a Redis that was emptied is noticed by the next write', async () => {
  const keys = await claimed(1)
  await cli('flushall')
  await expect(keys.write([], { token: 1, position: 1 })).rejects.toThrow('lost')
})

test('the keys lie in the database of the address, and the mark runs out', async () => {
  const keys = open(undefined, 3)
  await keys.connect()
  await keys.claim(1)
  await keys.write([{ kind: 'live', id: 1, viewers: 5 }], { token: 1, position: 1 })
  expect(await cli('keys', '*')).toBe('')
  expect(await cli('-n', 3, 'get', 'stream:1:viewers')).toBe('5')
  const mark = await cli('-n', 3, 'keys', 'rootstream:*')
  const ttl = Number(await cli('-n', 3, 'ttl', mark))
  expect([ttl > 0, ttl <= 300]).toEqual([true, true])
})

test('the end of the connection is told', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const keys = open(resolve)
  await keys.connect()
  await redis.stop()
  await promise
  await expect(keys.liveIds()).rejects.toThrow()
})

test('the connection ends where sentinels name another master, though the old one goes on', async context => {
  const sentinel = await startToldSentinel(redis.port)
  context.onTestFinished(() => sentinel.stop())
  const { promise, resolve } = Promise.withResolvers<void>()
  const keys = open(resolve, 0, `redis+sentinel://127.0.0.1:${sentinel.port}/main`)
  await keys.connect()
  sentinel.name(await freePort())
  await promise
  await expect(keys.liveIds()).rejects.toThrow()
})

test('keys are renewed before they run out, also those that somebody removed', async () => {
  const clock = createManualClock()
  const node = await createNode({ memory: true, log: silentLogger })
  const user = await node.create('user', {
    ...{ type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  for (const name of ['a', 'b'])
    await node.create('stream', { type: 'stream.created', userId: user.actor.id, name, streamKey: name })
  for (const id of [1, 2]) await node.actor('stream', id).send({ type: 'stream.started' })
  const bridge = createLegacyBridge({
    store: node.log,
    clock,
    log: silentLogger,
    openKeys: onClosed => open(onClosed),
    withLease: (name, ttlMs, work) => node.actors.withLease(name, ttlMs, work),
    liveIds: async position => {
      await node.projections.caughtUp(position)
      return node.projections.find('streams', 'is_live', true)
    },
    streamState: id => node.actors.actor(actorRef('stream', id)).state(),
  })
  await bridge.start()
  await eventually(async () => expect(await cli('mget', 'stream:1:live', 'stream:2:live')).toBe('1\n1'))
  await cli('expire', 'stream:1:live', 100)
  await cli('del', 'stream:2:live', 'stream:2:viewers')
  await eventually(async () => {
    clock.advance(10_000)
    expect(Number(await cli('ttl', 'stream:1:live'))).toBeGreaterThan(3_000)
    expect(await cli('mget', 'stream:2:live', 'stream:2:viewers')).toBe('1\n0')
  })
  await bridge.stop()
  await node.close()
})
