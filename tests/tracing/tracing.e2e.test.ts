/** A real node that is told of a collector by the standard variables. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { HttpClient } from '../support/http-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { startCollector } from './collector.ts'

const TOKEN = 'a-token-of-the-tests'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Starts a node with a collector, sends it a command and stops it. */
async function lifeOfANode(collector: string): Promise<{ status: number; exit: number | null }> {
  const database = await createTestDatabase()
  cleanups.push(database.drop)
  const home = await temporaryFolder('tracing')
  cleanups.push(() => rm(home, { recursive: true, force: true }))
  const node = await startNodeProcess({
    DATABASE_URL: database.url,
    ROOTSTREAM_HOME: path.join(home, 'home'),
    ROOTSTREAM_HTTP_PORT: '0',
    ROOTSTREAM_TOKEN: TOKEN,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector,
    OTEL_SERVICE_NAME: 'edge',
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
  })
  const client = new HttpClient(node.url, TOKEN, 1)
  const { status, body } = await client.request('POST', '/v1/actors/user', {
    body: { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'a-secret-hash' },
    headers: { traceparent: `00-${TRACE}-${SPAN}-01` },
  })
  await client.command(
    `/v1/actors/user/${(body as { id: number }).id}/commands`,
    { type: 'user.verified' },
    { key: 'k' },
  )
  client.close()
  return { status, exit: await node.stop() }
}

test('what the caller samples reaches the collector before the node ends, and nothing else does', async () => {
  const collector = await startCollector()
  cleanups.push(collector.close)
  expect(await lifeOfANode(collector.url)).toEqual({ status: 201, exit: 0 })
  const { spans } = collector
  const command = spans.find(({ name }) => name === 'command user.registered')
  expect(command).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, service: 'edge' })
  expect(command?.attributes.get('rootstream.outcome')).toBe('accepted')
  expect(spans.every(({ traceId }) => traceId === TRACE)).toBe(true)
  expect(spans.filter(({ parentSpanId }) => parentSpanId === command?.spanId).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['append', 'publish', 'projection']),
  )
})

test('a collector that never answers does not keep the process', async () => {
  const collector = await startCollector('hangs')
  cleanups.push(collector.close)
  expect(await lifeOfANode(collector.url)).toEqual({ status: 201, exit: 0 })
  expect(collector.requests).toBeGreaterThan(0)
})
