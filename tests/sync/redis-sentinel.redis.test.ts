/** The Redis bus behind sentinels: it follows the master, and a failover is a gap. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createRedisBus } from '../../src/sync/redis-bus.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { redisCli } from '../support/redis-cli.ts'
import { describeBus } from './bus-conformance.ts'
import { eventually } from './eventually.ts'
import { frameKey } from './frame-key.ts'
import { freePort, startPrivateRedis } from './private-redis.ts'
import { createMembers, type Member, say } from './redis-members.ts'
import { type SentinelSet, startSentinelSet } from './redis-sets.ts'
import { startToldSentinel } from './told-sentinel.ts'

let set: SentinelSet
beforeAll(async () => {
  set = await startSentinelSet()
})
afterAll(() => set.stop())

describeBus('the Redis bus behind sentinels', async () => {
  const namespace = randomUUID()
  return {
    join: (node, incarnation, log) =>
      createRedisBus({ url: set.url, node, incarnation, namespace, key: frameKey, log, clock: systemClock }),
    close: async () => {},
  }
})

const { member, joined } = createMembers(() => set.url)

async function two(): Promise<{ a: Member; b: Member }> {
  const namespace = randomUUID()
  const options = { namespace, clock: systemClock }
  return { a: await joined({ ...options, node: 'a' }), b: await joined({ ...options, node: 'b' }) }
}

/** Publishes on and on until the other hears what was published last. */
async function flows({ a, b }: { a: Member; b: Member }, from: number): Promise<void> {
  let position = from
  await vi.waitFor(
    () => {
      say(a, position++)
      expect(b.heard.at(-1)).toBeGreaterThan(from)
      expect([a.bus.healthy, b.bus.healthy]).toEqual([true, true])
    },
    { timeout: 40_000, interval: 20 },
  )
}

test('the master is killed while frames are published: they flow again over the new one, and both were told of a gap', async () => {
  const fresh = await startSentinelSet()
  const namespace = randomUUID()
  const options = { namespace, clock: systemClock, url: fresh.url }
  const pair = { a: await joined({ ...options, node: 'a' }), b: await joined({ ...options, node: 'b' }) }
  await flows(pair, 1)
  const master = await fresh.master()
  master.signal('SIGKILL')
  await flows(pair, 100_000)
  expect(await fresh.master()).not.toBe(master)
  expect(Math.min(pair.a.gaps, pair.b.gaps)).toBeGreaterThan(0)
  await Promise.all([pair.a.bus.stop(), pair.b.bus.stop()])
  await fresh.stop()
})

test('a master that hangs, with its connections open, is left for the new one', async () => {
  const pair = await two()
  await flows(pair, 1)
  const master = await set.master()
  master.signal('SIGSTOP')
  await flows(pair, 100_000)
  expect(await set.master()).not.toBe(master)
  expect(Math.min(pair.a.gaps, pair.b.gaps)).toBeGreaterThan(0)
  master.signal('SIGCONT')
  // It becomes a replica of the new one, in the time that sentinels take.
  await vi.waitFor(
    async () => {
      const [row = []] = (await set.ask('SENTINEL', 'REPLICAS', 'main')) as string[][]
      expect(row[row.indexOf('flags') + 1]).toBe('slave')
      expect(row[row.indexOf('master-link-status') + 1]).toBe('ok')
    },
    { timeout: 60_000, interval: 50 },
  )
})

test('an ordered failover is a gap as well', async () => {
  const pair = await two()
  const master = await set.master()
  await eventually(async () => expect(await set.ask('SENTINEL', 'FAILOVER', 'main')).toBe('OK'))
  await eventually(async () => expect(await set.master()).not.toBe(master))
  await eventually(() => expect(Math.min(pair.a.gaps, pair.b.gaps)).toBeGreaterThan(0))
  await flows(pair, 1)
})

test('sentinels that are away or hang are passed over', async () => {
  const [hangs] = set.sentinels
  hangs?.signal('SIGSTOP')
  const away = `127.0.0.1:${await freePort()}`
  const pair = { namespace: randomUUID(), url: set.url.replace('://', `://${away},`) }
  await flows({ a: await joined({ ...pair, node: 'a' }), b: await joined({ ...pair, node: 'b' }) }, 1)
  hangs?.signal('SIGCONT')
})

test('both connections follow a failover, also where one of them was broken and found the new master first', async context => {
  const [before, after] = [await startPrivateRedis(), await startPrivateRedis()]
  const sentinel = await startToldSentinel(before.port)
  context.onTestFinished(async () => {
    for (const server of [sentinel, before, after]) await server.stop()
  })
  const options = {
    namespace: randomUUID(),
    clock: systemClock,
    url: `redis+sentinel://127.0.0.1:${sentinel.port}/main`,
  }
  const pair = { a: await joined({ ...options, node: 'a' }), b: await joined({ ...options, node: 'b' }) }
  await flows(pair, 1)
  sentinel.name(after.port)
  // The old master goes on, cut off from the sentinels alone.
  await redisCli(before.port, 'client', 'kill', 'type', 'pubsub')
  await flows(pair, 100_000)
})

test.each([
  ['no sentinel answers', async () => `redis+sentinel://:s3cret@127.0.0.1:${await freePort()}/main`, /No sentinel/],
  [
    'none knows the master',
    async () => set.url.replace('/main', '/other').replace('://', '://:s3cret@'),
    /No such master/,
  ],
])('where %s the node starts without, and says why once', async (_what, url, why) => {
  const log = createRecordingLog()
  const a = member({ namespace: randomUUID(), node: 'a', url: await url(), log })
  await a.bus.start()
  expect(a.bus.healthy).toBe(false)
  const warnings = log.lines.filter(({ level }) => level === 'warn')
  expect(warnings).toHaveLength(1)
  expect(warnings[0]?.fields).toMatchObject({ reason: expect.stringMatching(why) })
  expect(JSON.stringify(log.lines)).not.toContain('s3cret')
})
