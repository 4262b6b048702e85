/** Live figures of real nodes, over a real Redis and one Postgres. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'

let database: TestDatabase
let redis: PrivateRedis
let nodes: RuntimeNode[]
beforeEach(async () => {
  nodes = []
  database = await createTestDatabase()
  redis = await startPrivateRedis()
})
afterEach(async () => {
  for (const node of nodes) await node.close()
  await redis.stop()
  await database.drop()
})

async function start(name: string): Promise<RuntimeNode> {
  const url = `redis://127.0.0.1:${redis.port}`
  const node = await createNode({ database: database.url, redis: url, name, log: silentLogger })
  nodes.push(node)
  await eventually(async () => expect((await node.health()).components.bus.status).toBe('ok'))
  return node
}

async function liveStream(on: RuntimeNode): Promise<number> {
  const user = await on.create('user', {
    ...{ type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  const created = await on.create('stream', {
    ...{ type: 'stream.created', userId: user.actor.id, name: 'x', streamKey: 'k' },
  })
  if (!created.ok) throw new Error(created.reason)
  await on.actor('stream', created.actor.id).send({ type: 'stream.started' })
  return created.actor.id
}

test('three nodes read the same sums, one that joins late too, and the stop carries the last of them', async () => {
  const three = [await start('a'), await start('b'), await start('c')]
  const [a, b] = three
  if (a === undefined || b === undefined) throw new Error('no node')
  const id = await liveStream(a)
  three.forEach((node, index) => {
    for (let viewers = 0; viewers <= 10 * (index + 1); viewers++) node.live('stream', id).set('viewers', viewers)
    for (let part = 0; part < 100; part++) node.live('stream', id).add('bytesSent', 10)
  })
  b.live('stream', id).set('codec', 'av1')
  const sums = { viewers: 60, bytesSent: 3_000, codec: 'av1' }
  for (const node of three) await eventually(() => expect(node.live('stream', id).read()).toMatchObject(sums))
  const late = await start('late')
  await eventually(() => expect(late.live('stream', id).read()).toMatchObject(sums))

  const stopped = await late.actor('stream', id).send({ type: 'stream.stopped' })
  expect(stopped.ok).toBe(true)
  const history = (await Array.fromAsync(a.actor('stream', id).history())).flat()
  const told = history.filter(({ type }) => type === 'stream.viewers.updated')
  expect(told.at(-1)?.data).toMatchObject({ viewers: 60 })
  expect(history.filter(({ type }) => type === 'stream.stats.updated').at(-1)?.data).toMatchObject({
    bytesSent: 3_000,
    codec: 'av1',
  })
  for (const node of [...three, late]) await eventually(() => expect(node.live('stream', id).read()).toEqual({}))
})

test('after Redis was away the figures meet again, and nothing waited in its place', async () => {
  const [a, b] = [await start('a'), await start('b')]
  const id = await liveStream(a)
  a.live('stream', id).set('viewers', 1)
  await eventually(() => expect(b.live('stream', id).read()).toMatchObject({ viewers: 1 }))
  const { port } = redis
  await redis.stop()
  await eventually(async () => expect((await b.health()).components.bus.status).not.toBe('ok'))
  a.live('stream', id).set('viewers', 2)
  b.live('stream', id).set('viewers', 5)
  redis = await startPrivateRedis({ port })
  for (const node of [a, b])
    await eventually(() => expect(node.live('stream', id).read()).toMatchObject({ viewers: 7 }))
})
