/** The figures for Prometheus: their form, that they move, and who may see them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'
import { openSse } from './sse-client.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

async function scrape(): Promise<string> {
  const answer = await fetch(`${runtime.server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return answer.text()
}

/** The value of a sample, by its name and labels as they are written. */
function sample(text: string, name: string): number | undefined {
  const line = text.split('\n').find(candidate => candidate.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

test('is the text format: each family typed and explained once, counters named _total, times in seconds', async () => {
  const text = await scrape()
  expect(text.endsWith('\n')).toBe(true)
  const types = new Map<string, string>()
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    expect(types.has(name), name).toBe(false)
    types.set(name, type)
    expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'))
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(name).not.toMatch(/_ms$|_milliseconds|_kb$/)
  }
  for (const line of text.split('\n').filter(candidate => candidate !== '' && !candidate.startsWith('#'))) {
    const [, name = ''] = /^([a-z0-9_]+)(?:\{[^}]*\})? -?(?:[0-9.e+-]+|\+Inf|Nan)$/i.exec(line) ?? []
    const family = name.replace(/_(?:bucket|sum|count)$/, '')
    expect(types.has(name) || types.has(family), line).toBe(true)
  }
  expect([...types.keys()]).toEqual(
    expect.arrayContaining([
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_seconds',
    ]),
  )
  expect(text).not.toContain('nodejs_active_')
})

test('shows the log, the read tables, actors, the bus and event streams', async () => {
  const before = await scrape()
  const created = await runtime.node.create('user', {
    type: 'user.registered',
    username: 'm',
    email: 'm@example.org',
    passwordHash: 'secret-hash',
  })
  const head = created.ok && !created.tentative ? created.event.position : 0
  await runtime.node.projections.caughtUp(head)
  const stream = await openSse(`${runtime.server.url}/v1/events/stream`, TOKEN)
  const text = await scrape()
  stream.close()
  expect(sample(text, 'rootstream_log_head_position')).toBe(head)
  expect(sample(text, 'rootstream_projection_position')).toBe(head)
  expect(sample(text, 'rootstream_projection_lag_events')).toBe(0)
  expect(sample(text, 'rootstream_projection_parked_actors')).toBe(0)
  expect(sample(text, 'rootstream_actors_active')).toBe(1)
  expect(sample(text, 'rootstream_commands_queued')).toBe(0)
  expect(sample(text, 'rootstream_effects_pending')).toBe(0)
  expect(sample(text, 'rootstream_http_event_streams')).toBe(1)
  expect(sample(text, 'rootstream_http_requests_in_flight')).toBe(0)
  expect(sample(text, 'rootstream_node_incarnation')).toBe(runtime.node.incarnation)
  for (const component of ['log', 'projections', 'bus', 'actors'])
    expect(sample(text, `rootstream_component_ok{component="${component}"}`)).toBe(1)
  const frames = 'rootstream_bus_frames_sent_total'
  expect(sample(text, frames)).toBe((sample(before, frames) ?? 0) + 1)
  expect(sample(text, 'rootstream_bus_frames_dropped_total{reason="foreign_version"}')).toBe(0)
  expect(text).not.toContain('secret')
})

test('counts requests by route, never by what is in the address', async () => {
  for (const id of [1, 1, 4_242]) await runtime.client.request('GET', `/v1/actors/user/${id}`)
  await runtime.client.request('GET', '/no/such/route')
  const text = await scrape()
  const of = (status: number) => `{method="GET",route="/v1/actors/:type/:id",status="${status}"}`
  expect(sample(text, `rootstream_http_requests_total${of(200)}`)).toBe(2)
  expect(sample(text, `rootstream_http_requests_total${of(404)}`)).toBe(1)
  expect(sample(text, `rootstream_http_request_duration_seconds_count${of(200)}`)).toBe(2)
  expect(sample(text, 'rootstream_http_requests_total{method="GET",route="none",status="404"}')).toBe(1)
  expect(text).not.toMatch(/4242|such/)
})

test('needs the token', async () => {
  const answer = await fetch(`${runtime.server.url}/metrics`)
  expect(answer.status).toBe(401)
  expect(await answer.text()).not.toContain('rootstream_log')
})
