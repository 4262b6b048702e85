/** What an operator sees over HTTP of nodes that share a Redis: two of one name, and the keys of 24.2. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'

let redis: PrivateRedis
let runtime: TestRuntime
let twin: RuntimeNode | undefined
const address = () => `redis://127.0.0.1:${redis.port}`
beforeEach(async () => {
  redis = await startPrivateRedis()
  runtime = await startRuntime({ redis: address(), legacyRedis: true, name: 'x' })
})
afterEach(async () => {
  await twin?.close()
  await runtime.stop()
  await redis.stop()
})

interface Health {
  readonly status: string
  readonly components: { readonly bus: { readonly status: string; readonly detail: { readonly warnings?: string[] } } }
}
async function health(): Promise<Health> {
  const answer = await runtime.client.request('GET', '/health')
  expect(answer.status).toBe(200)
  return answer.body as Health
}

test('a name used twice is a warning in /health for as long as both are there', { timeout: 60_000 }, async () => {
  await eventually(async () => expect((await health()).status).toBe('ok'))
  expect((await health()).components.bus.detail.warnings).toBeUndefined()
  twin = await createNode({
    database: runtime.database.url,
    redis: address(),
    name: 'x',
    keys: TEST_KEYS,
    log: silentLogger,
  })
  await eventually(async () =>
    expect(await health()).toMatchObject({
      status: 'degraded',
      components: {
        bus: { status: 'degraded', detail: { warnings: [expect.stringContaining('Two nodes are called "x"')] } },
      },
    }),
  )
  await twin.close()
  await eventually(async () => expect((await health()).components.bus.detail.warnings).toBeUndefined())
  expect((await health()).components.bus.status).toBe('ok')
})

/** The value of a sample without labels. */
async function figure(name: string): Promise<number | undefined> {
  const answer = await fetch(`${runtime.server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
  const line = (await answer.text()).split('\n').find(candidate => candidate.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

test('the keeping of the keys of 24.2 is in the metrics: who does it, how much, how often it failed', async () => {
  await eventually(async () => expect(await figure('rootstream_legacy_redis_bridging')).toBe(1))
  expect(await figure('rootstream_legacy_redis_changes_total')).toBe(0)
  expect(await figure('rootstream_legacy_redis_failures_total')).toBe(0)
  const user = await runtime.node.create('user', {
    ...{ type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  const created = { type: 'stream.created', userId: user.actor.id, name: 'Mine', streamKey: 'k' }
  const stream = await runtime.node.create('stream', created)
  if (!stream.ok) throw new Error(stream.reason)
  await runtime.node.actor('stream', stream.actor.id).send({ type: 'stream.started' })
  await eventually(async () => expect(await figure('rootstream_legacy_redis_changes_total')).toBeGreaterThan(0))
  await redis.stop()
  await runtime.node.actor('stream', stream.actor.id).send({ type: 'stream.stopped' })
  await eventually(async () => expect(await figure('rootstream_legacy_redis_failures_total')).toBeGreaterThan(0))
  expect(await figure('rootstream_legacy_redis_bridging')).toBe(0)
})
