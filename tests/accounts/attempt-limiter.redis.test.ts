/** Budgets of attempts over two nodes with one Redis: exact while it is there, and still kept by each while it is away. */
import { generateKeySync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAttemptLimiter } from '../../src/accounts/attempt-limiter.ts'
import type { AttemptBudget } from '../../src/accounts/attempts.ts'
import { silentLogger } from '../../src/logging.ts'
import { createRedisCounters, type RedisCounters } from '../../src/sync/redis-counters.ts'
import { systemClock } from '../../src/system-clock.ts'
import { redisCli } from '../support/redis-cli.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'
import { attemptLimiterConformance, BUDGET } from './attempt-limiter.conformance.ts'

/** The same for all nodes of an installation. */
const nameKey = generateKeySync('hmac', { length: 256 })

let redis: PrivateRedis
let counters: readonly RedisCounters[]
let installations = 0

async function connected(namespace: string): Promise<RedisCounters> {
  const url = `redis://127.0.0.1:${redis.port}`
  const opened = createRedisCounters({ url, node: 'test', namespace, clock: systemClock, log: silentLogger })
  await opened.start()
  await eventually(() => expect(opened.client.status).toBe('ready'))
  return opened
}

beforeAll(async () => {
  redis = await startPrivateRedis()
  counters = await Promise.all([connected('one'), connected('one')])
})
afterAll(async () => {
  for (const opened of counters) await opened.stop()
  await redis.stop()
})

/** Two nodes of an installation that nobody has counted in. */
function nodes(budget: AttemptBudget) {
  const installation = ++installations
  return counters.map(({ client, prefix }) =>
    createAttemptLimiter({
      clock: systemClock,
      shared: { client, prefix: `${prefix}.${installation}`, nameKey },
      budgets: { 'login.account': budget },
    }),
  )
}

describe('in Redis', () => {
  attemptLimiterConformance(() => ({
    limiters: nodes,
    // The same as time would do, without waiting for it.
    waitOver: async () => {
      const waits = await redisCli(redis.port, 'keys', `${counters[0]?.prefix}.${installations}:login.account.gate:*`)
      if (waits !== '') await redisCli(redis.port, 'del', ...waits.split('\n'))
    },
  }))

  test('keys carry the installation and an expiry, and one installation does not count for another', async () => {
    const other = await connected('two')
    try {
      const [node] = nodes(BUDGET)
      const elsewhere = createAttemptLimiter({
        clock: systemClock,
        shared: { ...other, nameKey },
        budgets: { 'login.account': BUDGET },
      })
      for (let n = 0; n < 6; n++) await node?.take('login.account', 'eve')
      expect((await elsewhere.take('login.account', 'eve')).ok).toBe(true)
      const keys = (await redisCli(redis.port, 'keys', '*')).split('\n')
      expect(keys.length).toBeGreaterThan(3)
      for (const key of keys) {
        expect(key).not.toContain('eve')
        expect(key).toMatch(/^rootstream:0\.[0-9a-f]{16}:attempts[.\d]*:/)
        expect(Number(await redisCli(redis.port, 'pttl', key)), key).toBeGreaterThan(0)
      }
    } finally {
      await other.stop()
    }
  })
})

test('while Redis is away each node counts for itself, at once, and both count together again when it is back', async () => {
  const own = await startPrivateRedis()
  const url = `redis://127.0.0.1:${own.port}`
  const opened = createRedisCounters({ url, node: 'test', namespace: 'away', clock: systemClock, log: silentLogger })
  await opened.start()
  let back: PrivateRedis | undefined
  try {
    await eventually(() => expect(opened.client.status).toBe('ready'))
    const [a, b] = [0, 1].map(() =>
      createAttemptLimiter({
        clock: systemClock,
        shared: { ...opened, nameKey },
        budgets: { 'login.account': BUDGET },
      }),
    )
    const taken = async () => {
      const answers = await Promise.all(
        [a, b].flatMap(node => Array.from({ length: 20 }, () => node?.take('login.account', 'ada'))),
      )
      return answers.filter(answer => answer?.ok === true).length
    }
    expect(await taken()).toBe(5)
    await own.stop()
    await eventually(() => expect(opened.client.status).not.toBe('ready'))
    expect(await taken(), 'five each').toBe(10)
    back = await startPrivateRedis({ port: own.port })
    await eventually(() => expect(opened.client.status).toBe('ready'))
    expect(await taken(), 'Redis has forgotten').toBe(5)
  } finally {
    await opened.stop()
    await back?.stop()
    await own.stop()
  }
})
