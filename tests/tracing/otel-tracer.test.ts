/** Spans of commands on a node in memory: what they say, what they hang under, and that they harm nothing. */
import { context, type Span, SpanKind, type TracerProvider, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AlwaysOffSampler, ParentBasedSampler } from '@opentelemetry/sdk-trace'
import { afterEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
import type { Logger } from '../../src/core/ports.ts'
import { silentLogger } from '../../src/logging.ts'
import type { Effect } from '../../src/machines/define.ts'
import { createOtelTracer } from '../../src/tracing/otel-tracer.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from '../sync/eventually.ts'
import { failed, finishedSpans, placeOf } from './finished-spans.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const MADE = { type: 'booking.made', name: 'a secret name', seats: 2 }

const nodes: RuntimeNode[] = []
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
})

async function start(
  tracerProvider: TracerProvider,
  options: { log?: Logger; sendTicket?: Effect } = {},
): Promise<RuntimeNode> {
  const { log = silentLogger, sendTicket } = options
  const node = await createNode({
    memory: true,
    name: 'test',
    log,
    entities: [bookingEntity(sendTicket)],
    tracerProvider,
  })
  nodes.push(node)
  return node
}

test('a command says what became of it, and nothing of what it carried', async () => {
  const spans = finishedSpans()
  const node = await start(spans.provider)
  const made = await node.create('booking', MADE, { commandId: 'secret-command', userId: 77 })
  const again = await node.actor('booking', made.actor.id).send({ type: 'booking.made', name: 'b', seats: 1 })
  const repeated = await node.create('booking', MADE, { commandId: 'secret-command', userId: 77 })
  expect([made.ok, again.ok, repeated.ok]).toEqual([true, false, true])

  const outcome = (name: string) => spans.one('command booking.made', { 'rootstream.outcome': name })
  const common = { 'rootstream.actor.type': 'booking', 'rootstream.event.type': 'booking.made' }
  const first = { ...common, 'rootstream.actor.id': 1, 'rootstream.version': 1 }
  expect(outcome('accepted').attributes).toEqual({
    ...first,
    'rootstream.outcome': 'accepted',
    'rootstream.position': 1,
  })
  expect(outcome('refused').attributes).toEqual({
    ...first,
    'rootstream.outcome': 'refused',
    'rootstream.refusal.reason': 'not_allowed',
  })
  expect(outcome('repeated').attributes).toMatchObject({ ...first, 'rootstream.position': 1 })
  expect(spans.all().filter(failed)).toEqual([])
  await eventually(() => expect(spans.one('publish')).toMatchObject({ kind: SpanKind.INTERNAL }))
  expect(placeOf(spans.one('publish')).parent).toBe(placeOf(outcome('accepted')).spanId)
  expect(JSON.stringify(spans.all().map(({ name, attributes, events }) => ({ name, attributes, events })))).not.toMatch(
    /secret|77/,
  )
})

test('a command that fails is marked by its code alone, and names of nothing we know are not repeated', async () => {
  const spans = finishedSpans()
  const node = await start(spans.provider)
  const made = await node.create('booking', MADE)
  const actor = node.actor('booking', made.actor.id)
  await expect(actor.send({ type: 'booking.exploded' })).rejects.toThrow(AppError)
  await expect(node.create('booking', { ...MADE, seats: 'secret' })).rejects.toThrow(AppError)
  await expect(node.create('booking', { type: 'secret.event' })).rejects.toThrow(AppError)
  await expect(node.create('secret', MADE)).rejects.toThrow(AppError)

  const errors = spans.all().filter(failed)
  expect(errors.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
    ['command booking.exploded', 'actor_failed'],
    ['command booking.made', 'invalid_event'],
    ['command', 'unknown_type'],
    ['command', 'unknown_type'],
  ])
  expect(errors.every(({ attributes }) => attributes['rootstream.outcome'] === 'failed')).toBe(true)
  expect(JSON.stringify(errors.map(({ name, attributes, status }) => ({ name, attributes, status })))).not.toContain(
    'secret',
  )
})

test('the trace its caller names holds the command; a malformed name starts a trace of its own', async () => {
  const spans = finishedSpans()
  const node = await start(spans.provider)
  await node.create('booking', { ...MADE, name: 'a' }, { traceparent: `00-${TRACE}-${SPAN}-01` })
  await node.create('booking', { ...MADE, name: 'b' }, { traceparent: `00-${TRACE}-${SPAN}` })
  const named = spans.one('command booking.made', { 'rootstream.actor.id': 1 })
  expect(placeOf(named)).toMatchObject({ traceId: TRACE, parent: SPAN })
  expect(named.kind).toBe(SpanKind.SERVER)
  const own = spans.one('command booking.made', { 'rootstream.actor.id': 2 })
  expect(placeOf(own).parent).toBeUndefined()
  expect(own.kind).toBe(SpanKind.INTERNAL)
})

test('what a caller does not sample is not recorded, through all that follows', async () => {
  const spans = finishedSpans()
  const node = await start(spans.provider)
  const made = await node.create('booking', MADE, { traceparent: `00-${TRACE}-${SPAN}-00` })
  await node
    .actor('booking', made.actor.id)
    .send({ type: 'booking.confirmed' }, { traceparent: `00-${TRACE}-${SPAN}-00` })
  await node.actors.effectsIdle()
  expect((await node.actor('booking', made.actor.id).state()).state).toBe('ticketed')
  expect(spans.all()).toEqual([])
})

test('only what is sampled is recorded where the node decides', async () => {
  const spans = finishedSpans({ sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) })
  const node = await start(spans.provider)
  await node.create('booking', { ...MADE, name: 'a' })
  expect(spans.all()).toEqual([])
  await node.create('booking', { ...MADE, name: 'b' }, { traceparent: `00-${TRACE}-${SPAN}-01` })
  expect(new Set(spans.all().map(span => placeOf(span).traceId))).toEqual(new Set([TRACE]))
})

test('a span of the embedding program holds the commands it sends, and effects hang under what caused them', async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  try {
    const spans = finishedSpans()
    const node = await start(spans.provider)
    const made = await node.create('booking', MADE)
    await spans.provider.getTracer('program').startActiveSpan('request', async request => {
      await node.actor('booking', made.actor.id).send({ type: 'booking.confirmed' })
      await node.actors.effectsIdle()
      request.end()
    })
    const request = placeOf(spans.one('request'))
    const confirmed = placeOf(spans.one('command booking.confirmed'))
    const sent = spans.one('command booking.ticket.sent')
    expect(confirmed).toMatchObject({ traceId: request.traceId, parent: request.spanId })
    expect(placeOf(sent)).toMatchObject({ traceId: request.traceId, parent: confirmed.spanId })
    expect(sent.attributes['rootstream.causation.position']).toBe(2)
    expect(placeOf(spans.one('command booking.made')).traceId).not.toBe(request.traceId)
  } finally {
    context.disable()
  }
})

test('commands of one append are published together, in the trace of the first, with links to the others', async () => {
  const spans = finishedSpans()
  const node = await start(spans.provider)
  const made = await node.create('booking', MADE)
  const actor = node.actor('booking', made.actor.id)
  await eventually(() => expect(spans.named('publish')).toHaveLength(1))
  // The first travels alone; what queues up behind it shares the next append.
  await Promise.all([3, 4, 5].map(seats => actor.send({ type: 'booking.changed', seats })))
  const at = (position: number) => spans.one('command booking.changed', { 'rootstream.position': position })
  const published = await eventually(() => {
    const found = spans.named('publish').find(({ attributes }) => attributes['rootstream.position.last'] === 4)
    if (found === undefined) throw new Error('the frame was not published')
    return found
  })
  const [first, ...others] = [2, 3, 4]
    .filter(position => position >= Number(published.attributes['rootstream.position.first']))
    .map(position => placeOf(at(position)).spanId)
  expect(others.length).toBeGreaterThan(0)
  expect(placeOf(published).parent).toBe(first)
  expect(published.links.map(({ context: { spanId } }) => spanId)).toEqual(others)
})

test('an SDK that throws at every turn is logged once, and no command hears of it', async () => {
  const broken = () => {
    throw new Error('a broken SDK')
  }
  const span: Span = { ...trace.wrapSpanContext({ traceId: TRACE, spanId: SPAN, traceFlags: 1 }) }
  const spanThatThrows = new Proxy(span, {
    get: (_, name) => (name === 'spanContext' ? () => ({ traceId: TRACE, spanId: SPAN, traceFlags: 1 }) : broken),
  })
  for (const startSpan of [broken, () => spanThatThrows]) {
    const log = createRecordingLog()
    const provider = { getTracer: () => ({ startSpan, startActiveSpan: broken }) } as TracerProvider
    const node = await start(provider, { log })
    const made = await node.create('booking', MADE)
    expect(made.ok).toBe(true)
    expect((await node.actor('booking', made.actor.id).send(MADE)).ok).toBe(false)
    await expect(node.actor('booking', made.actor.id).send({ type: 'booking.exploded' })).rejects.toThrow(AppError)
    expect(log.lines.filter(({ message }) => message.includes('span'))).toHaveLength(1)
  }
})

test('a projection that fails again and again is told of once, until a page was folded', () => {
  const spans = finishedSpans()
  const tracer = createOtelTracer({ provider: spans.provider, log: silentLogger })
  const away = new AppError('log_unavailable', 'Postgres is away.')
  for (let time = 0; time < 3; time++) tracer.projection()?.failed(away)
  expect(spans.one('projection').attributes).toEqual({ 'error.type': 'log_unavailable' })
  // An empty page is no news but good news.
  tracer.projection()?.folded({ from: 4, to: 4, events: 0 })
  tracer.projection()?.failed(away)
  expect(spans.all().map(failed)).toEqual([true, true])
})
