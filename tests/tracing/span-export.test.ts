/** An exporter that fails or is slow: what is lost is counted and said once, and the rest goes on. */
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { afterEach, expect, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { createSpanExport } from '../../src/tracing/span-export.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { type Collector, startCollector } from './collector.ts'

const collectors: Collector[] = []
afterEach(async () => {
  for (const collector of collectors.splice(0)) await collector.close()
})

function levels(log: RecordingLog): readonly string[] {
  return log.lines.map(({ level }) => level)
}

test('an exporter that fails, throws and works again is told of once for each change', async () => {
  const log = createRecordingLog()
  let taking: 'fails' | 'throws' | 'works' = 'fails'
  const exporter: SpanExporter = {
    export: (_spans, done) => {
      if (taking === 'throws') throw new Error('a broken exporter')
      done(taking === 'works' ? { code: 0 } : { code: 1, error: new Error('refused') })
    },
    shutdown: async () => {},
  }
  const spans = createSpanExport({ exporter, log })
  const provider = new TracerProvider({ spanProcessors: [spans.processor] })
  const record = async (how: typeof taking) => {
    taking = how
    provider.getTracer('test').startSpan('a').end()
    await provider.forceFlush().catch(() => undefined)
  }
  for (const how of ['works', 'fails', 'throws', 'fails', 'works', 'works'] as const) await record(how)
  expect(levels(log)).toEqual(['warn', 'info'])
  expect(log.lines[0]?.fields).toEqual({ error: 'refused' })
  expect(log.lines[1]?.fields).toEqual({ dropped: 3 })
  await provider.shutdown()
  expect(spans.close()).toBe(3)
})

test('what is too much for a slow exporter is dropped, and what it keeps counts as lost at the end', () => {
  const log = createRecordingLog()
  const exporter: SpanExporter = { export: () => {}, shutdown: async () => {} }
  const spans = createSpanExport({ exporter, log, limit: 3 })
  const tracer = new TracerProvider({ spanProcessors: [spans.processor] }).getTracer('test')
  for (let index = 0; index < 10; index++) tracer.startSpan('a').end()
  expect(levels(log)).toEqual(['warn'])
  expect(spans.close()).toBe(10)
})

test('a node sends its spans to a collector until the last, under the name of its service', async () => {
  const collector = await startCollector()
  collectors.push(collector)
  const node = await createNode({
    memory: true,
    name: 'edge-1',
    log: createRecordingLog(),
    entities: [bookingEntity()],
    tracing: { endpoint: `${collector.url}/v1/traces`, attributes: { 'service.name': 'edge' } },
  })
  await node.create('booking', { type: 'booking.made', name: 'a', seats: 1 })
  await node.close()
  expect(collector.spans.map(({ name, service }) => [name, service]).sort()).toEqual([
    ['command booking.made', 'edge'],
    ['publish', 'edge'],
  ])
})

test.each([
  ['refuses', 400],
  ['is overloaded', 503],
  ['never answers', 'hangs'],
] as const)('a collector that %s keeps no command waiting and no node from stopping', async (_, status) => {
  const collector = await startCollector(status)
  collectors.push(collector)
  const log = createRecordingLog()
  const node = await createNode({
    memory: true,
    log,
    entities: [bookingEntity()],
    tracing: { endpoint: `${collector.url}/v1/traces` },
  })
  expect((await node.create('booking', { type: 'booking.made', name: 'a', seats: 1 })).ok).toBe(true)
  await node.close()
  expect(collector.requests).toBeGreaterThan(0)
  expect(log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { dropped: 2 } })
})
