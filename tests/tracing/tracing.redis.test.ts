/** A trace goes from the node that took the command to those that hear of it. */
import { SpanKind } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../sync/eventually.ts'
import { startPrivateRedis } from '../sync/private-redis.ts'
import { type FinishedSpans, finishedSpans, placeOf } from './finished-spans.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test('what one node publishes, the other receives in the same trace', async () => {
  const database = await createTestDatabase()
  cleanups.push(database.drop)
  const redis = await startPrivateRedis()
  cleanups.push(redis.stop)
  const start = async (name: string, spans: FinishedSpans | undefined): Promise<RuntimeNode> => {
    const node = await createNode({
      database: database.url,
      redis: `redis://127.0.0.1:${redis.port}`,
      name,
      log: silentLogger,
      ...(spans === undefined ? {} : { tracerProvider: spans.provider }),
    })
    cleanups.push(() => node.close())
    return node
  }
  const [ofA, ofB] = [finishedSpans(), finishedSpans()]
  const a = await start('a', ofA)
  const b = await start('b', ofB)
  const untraced = await start('c', undefined)
  const heard: string[] = []
  untraced.subscribe('user.*', event => heard.push(event.type))
  await eventually(async () => {
    for (const node of [a, b, untraced]) expect((await node.health()).components.bus.status).toBe('ok')
  })
  const made = await a.create('user', {
    type: 'user.registered',
    username: 'ada',
    email: 'ada@example.org',
    passwordHash: 'x',
  })
  await eventually(() => {
    expect(ofB.named('receive')).toHaveLength(1)
    expect(heard).toEqual(['user.registered'])
  })

  const published = ofA.one('publish')
  expect(published.kind).toBe(SpanKind.PRODUCER)
  expect(published.attributes).toMatchObject({ 'messaging.system': 'redis', 'messaging.operation.type': 'send' })
  const received = ofB.one('receive')
  expect(received.kind).toBe(SpanKind.CONSUMER)
  expect(received.attributes).toMatchObject({ 'messaging.system': 'redis', 'messaging.operation.type': 'process' })
  expect(placeOf(received)).toMatchObject({
    traceId: placeOf(ofA.one('command user.registered')).traceId,
    parent: placeOf(published).spanId,
  })

  // A node without tracing says nothing of it, and is heard all the same.
  await untraced.actor('user', made.actor.id).send({ type: 'user.verified' })
  await eventually(async () => expect((await b.actor('user', made.actor.id).state()).version).toBe(2))
  expect(ofB.named('receive')).toHaveLength(1)
})
