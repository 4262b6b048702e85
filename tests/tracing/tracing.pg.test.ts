/** The whole way of a command on Postgres, as its trace tells it. */
import { SpanKind } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { createActorSystem } from '../../src/actors/system.ts'
import { createNode } from '../../src/app.ts'
import { migrate } from '../../src/eventstore/migrate.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createOtelTracer } from '../../src/tracing/otel-tracer.ts'
import { createTestDatabase, ownPostgres } from '../support/database.ts'
import { startRuntime } from '../support/runtime.ts'
import { failed, finishedSpans, placeOf } from './finished-spans.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`

const user = (name: string) => ({
  type: 'user.registered',
  username: name,
  email: `${name}@example.org`,
  passwordHash: 'a-secret-hash',
})

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test('a request is one trace: command, append, publish and projection', async () => {
  const spans = finishedSpans()
  const runtime = await startRuntime({ tracerProvider: spans.provider })
  cleanups.push(runtime.stop)
  const answer = await runtime.client.request('POST', '/v1/actors/user', {
    body: user('ada'),
    headers: { traceparent: TRACEPARENT },
  })
  expect(answer.status).toBe(201)
  const { id, position } = answer.body as { id: number; position: number }
  await runtime.node.projections.caughtUp(position)

  const command = spans.one('command user.registered')
  expect(placeOf(command)).toMatchObject({ traceId: TRACE, parent: SPAN })
  expect(command.kind).toBe(SpanKind.SERVER)
  expect(command.attributes).toEqual({
    'rootstream.actor.type': 'user',
    'rootstream.actor.id': id,
    'rootstream.event.type': 'user.registered',
    'rootstream.outcome': 'accepted',
    'rootstream.version': 1,
    'rootstream.position': position,
  })
  const below = { traceId: TRACE, parent: placeOf(command).spanId }
  const append = spans.one('append')
  expect(placeOf(append)).toMatchObject(below)
  expect(append.kind).toBe(SpanKind.CLIENT)
  expect(append.attributes).toEqual({
    'db.system.name': 'postgresql',
    'db.namespace': runtime.database.name,
    'db.operation.name': 'SELECT',
    'db.stored_procedure.name': 'append_batch',
    'rootstream.batch.id': `${runtime.node.incarnation}.1`,
    'rootstream.batch.appends': 1,
    'rootstream.batch.events': 1,
    'rootstream.append.outcome': 'appended',
  })
  expect(placeOf(spans.one('publish'))).toMatchObject(below)
  const projection = spans.one('projection')
  expect(placeOf(projection)).toMatchObject(below)
  expect(projection.attributes).toEqual({
    'rootstream.position.after': 0,
    'rootstream.position.last': position,
    'rootstream.events': 1,
  })
  expect(spans.all().filter(failed)).toEqual([])
  expect(JSON.stringify(spans.all().map(({ name, attributes }) => [name, attributes]))).not.toMatch(/secret|ada/)
})

test('a malformed traceparent is passed over, and so is one of any length', async () => {
  const spans = finishedSpans()
  const runtime = await startRuntime({ tracerProvider: spans.provider })
  cleanups.push(runtime.stop)
  for (const [index, traceparent] of ['nonsense', 'x'.repeat(5_000)].entries()) {
    const body = user(`user-${index}`)
    const answer = await runtime.client.request('POST', '/v1/actors/user', { body, headers: { traceparent } })
    expect(answer.status).toBe(201)
  }
  const parents = spans.named('command user.registered').map(span => placeOf(span).parent)
  expect(parents).toEqual([undefined, undefined])
})

test('commands that share a batch each have an append of their own, under one batch id', async () => {
  const database = await createTestDatabase()
  cleanups.push(database.drop)
  const spans = finishedSpans()
  const node = await createNode({
    database: database.url,
    name: 'test',
    log: silentLogger,
    tracerProvider: spans.provider,
  })
  cleanups.push(() => node.close())
  const names = Array.from({ length: 20 }, (_, index) => `user-${index}`)
  await Promise.all(names.map(name => node.create('user', user(name))))
  await node.projections.caughtUp()

  const commands = spans.named('command user.registered')
  const appends = spans.named('append')
  expect(appends).toHaveLength(names.length)
  expect(new Set(appends.map(span => placeOf(span).parent))).toEqual(
    new Set(commands.map(span => placeOf(span).spanId)),
  )
  const batches = Map.groupBy(appends, ({ attributes }) => attributes['rootstream.batch.id'])
  expect(Math.max(...[...batches.values()].map(({ length }) => length))).toBeGreaterThan(1)
  for (const batch of batches.values())
    for (const { attributes } of batch) {
      expect(attributes['rootstream.batch.appends']).toBe(batch.length)
      expect(attributes['db.operation.batch.size']).toBe(batch.length > 1 ? batch.length : undefined)
    }
  // Each command's trace is told of its projection: as its parent, or by a link.
  const told = spans
    .named('projection')
    .flatMap(({ parentSpanContext, links }) => [parentSpanContext?.spanId, ...links.map(link => link.context.spanId)])
  expect(new Set(told)).toEqual(new Set(commands.map(span => placeOf(span).spanId)))
})

test('a name that is taken is refused by the log: the append says so, and nothing is published', async () => {
  const spans = finishedSpans()
  const runtime = await startRuntime({ tracerProvider: spans.provider })
  cleanups.push(runtime.stop)
  await runtime.node.create('user', user('ada'))
  const refused = await runtime.node.create('user', user('ada'))
  expect(refused).toMatchObject({ ok: false, reason: 'claimed' })
  const command = spans.one('command user.registered', { 'rootstream.outcome': 'refused' })
  expect(command.attributes['rootstream.refusal.reason']).toBe('claimed')
  const append = spans.one('append', { 'rootstream.append.outcome': 'claimed' })
  expect(placeOf(append).parent).toBe(placeOf(command).spanId)
  expect(failed(append)).toBe(false)
  expect(spans.named('publish')).toHaveLength(1)
})

test('a log that is away fails append and command by code, with how often the batch was sent', async () => {
  const server = await ownPostgres()
  cleanups.push(server.remove)
  await migrate({ url: server.url, log: silentLogger })
  const spans = finishedSpans()
  const tracer = createOtelTracer({ provider: spans.provider, log: silentLogger })
  const [clock, log] = [systemClock, silentLogger]
  const store = await createPgEventStore({ url: server.url, node: 'test', clock, log, tracer, patienceMs: 300 })
  cleanups.push(() => store.close())
  const actors = createActorSystem({ store, entities, clock, log, tracer, holder: 'test' })
  cleanups.push(() => actors.stop())
  const made = await actors.create('user', user('ada'))
  // Its state is in memory: the log is asked for nothing but the append.
  const ada = actors.actor(made.actor)
  await server.kill9()
  await expect(ada.send({ type: 'user.verified' })).rejects.toMatchObject({ code: 'log_unavailable' })

  const command = spans.one('command user.verified', { 'rootstream.outcome': 'failed' })
  expect(command.attributes['error.type']).toBe('log_unavailable')
  const append = spans.one('append', { 'error.type': 'log_unavailable' })
  expect(placeOf(append).parent).toBe(placeOf(command).spanId)
  expect([failed(command), failed(append)]).toEqual([true, true])
  expect(append.attributes['rootstream.batch.attempts']).toBeGreaterThan(1)
  await server.restart()
  expect((await ada.send({ type: 'user.verified' })).ok).toBe(true)
  expect(spans.named('append').filter(failed)).toHaveLength(1)
})
