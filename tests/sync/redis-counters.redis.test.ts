/** The connection for counters on each kind of address, and without a Redis. */
import { generateKeySync } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { createAttemptLimiter } from '../../src/accounts/attempt-limiter.ts'
import { createRedisCounters, type RedisCounters } from '../../src/sync/redis-counters.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { redisCli } from '../support/redis-cli.ts'
import { eventually } from './eventually.ts'
import { freePort, startPrivateRedis } from './private-redis.ts'
import { startCluster, startSentinelSet } from './redis-sets.ts'
import { startToldSentinel } from './told-sentinel.ts'

vi.setConfig({ testTimeout: 60_000 })

const nameKey = generateKeySync('hmac', { length: 256 })
const toStop: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop()
})

async function opened(url: string, log = createRecordingLog()): Promise<RedisCounters> {
  const counters = createRedisCounters({ url, node: 'test', namespace: 'log', clock: systemClock, log })
  await counters.start()
  toStop.push(() => counters.stop())
  return counters
}

/** How many of sixty attempts at once pass that two nodes make. */
async function passed(nodes: readonly RedisCounters[]): Promise<number> {
  const limiters = nodes.map(node => createAttemptLimiter({ clock: systemClock, shared: { ...node, nameKey } }))
  const taken = await Promise.all(
    limiters.flatMap(limiter => Array.from({ length: 30 }, () => limiter.take('login.account', 'ada'))),
  )
  return taken.filter(({ ok }) => ok).length
}

const ready = (nodes: readonly RedisCounters[]) =>
  eventually(() => expect(nodes.map(({ client }) => client.status)).toEqual(nodes.map(() => 'ready')))

test('counts in a cluster', async () => {
  const cluster = await startCluster(3)
  toStop.push(() => cluster.stop())
  const nodes = [await opened(cluster.url), await opened(cluster.url)]
  await ready(nodes)
  expect(await passed(nodes)).toBe(5)
})

test('counts on the master that sentinels name', async () => {
  const set = await startSentinelSet()
  toStop.push(() => set.stop())
  const nodes = [await opened(set.url), await opened(set.url)]
  await ready(nodes)
  expect(await passed(nodes)).toBe(5)
})

test('counts on the new master where sentinels name another, though the old one goes on', async () => {
  const [before, after] = [await startPrivateRedis(), await startPrivateRedis()]
  const sentinel = await startToldSentinel(before.port)
  toStop.push(...[before, after, sentinel].map(server => () => server.stop()))
  const nodes = [await opened(`redis+sentinel://127.0.0.1:${sentinel.port}/main`)]
  await ready(nodes)
  sentinel.name(after.port)
  nodes.push(await opened(`redis+sentinel://127.0.0.1:${sentinel.port}/main`))
  await eventually(async () => expect(await redisCli(before.port, 'client', 'list')).not.toContain(':counters'))
  await ready(nodes)
  expect(await passed(nodes)).toBe(5)
})

const LEAN = ['on', '>secret', '&*', '+publish', '+subscribe', '+ping', '+select']
const RIGHTS = '+get +set +del +incrby +pttl +expire +multi +exec +eval +evalsha'.split(' ')

test.each([
  ['with the rights that the README names counts for all', [...LEAN, '~rootstream:*', ...RIGHTS], 5, 0],
  ['without them each node counts for itself, and says so', LEAN, 10, 2],
])('an account %s', async (_what, rights, most, warnings) => {
  const redis = await startPrivateRedis({ settings: ['--user', 'lean', ...rights] })
  toStop.push(() => redis.stop())
  const url = `redis://lean:secret@127.0.0.1:${redis.port}`
  const log = createRecordingLog()
  const nodes = [await opened(url, log), await opened(url, log)]
  await ready(nodes)
  expect(await passed(nodes)).toBe(most)
  await eventually(() => expect(log.lines).toHaveLength(warnings))
})

test('is away without a Redis: nobody waits for it, and it is said once', async () => {
  const log = createRecordingLog()
  const counters = await opened(`redis://127.0.0.1:${await freePort()}`, log)
  await eventually(() => expect(log.lines.length).toBeGreaterThan(0))
  expect(await passed([counters])).toBe(5)
  const attempts = vi.spyOn(counters.client, 'emit')
  await eventually(() => expect(attempts.mock.calls.filter(([type]) => type === 'error').length).toBeGreaterThan(2))
  expect(log.lines).toEqual([
    {
      level: 'warn',
      fields: { reason: expect.any(String) },
      message: expect.stringContaining('each node counts for itself'),
    },
  ])
})
