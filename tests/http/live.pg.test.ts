/** Live figures over HTTP: told, read, heard, and refused where they are none. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'
import { eventually } from '../sync/eventually.ts'
import { openSse } from './sse-client.ts'

let runtime: TestRuntime
let stream: number
beforeAll(async () => {
  runtime = await startRuntime()
  const { node } = runtime
  const user = await node.create('user', {
    ...{ type: 'user.registered', username: 'live', email: 'live@example.org', passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  const created = await node.create('stream', {
    ...{ type: 'stream.created', userId: user.actor.id, name: 'x', streamKey: 'live' },
  })
  if (!created.ok) throw new Error(created.reason)
  stream = created.actor.id
})
afterAll(() => runtime.stop())

const tell = (body: object, actor = `stream/${stream}`) => runtime.client.request('POST', `/v1/live/${actor}`, { body })
const command = (type: string) =>
  runtime.client.request('POST', `/v1/actors/stream/${stream}/commands`, { body: { type } })

test('figures are told while the stream is live, merged, and kept by its stop', async () => {
  const early = await tell({ set: { viewers: 1 } })
  expect(early).toMatchObject({ status: 409, body: { code: 'not_live', retryable: false } })
  expect(await command('stream.started')).toMatchObject({ status: 200 })
  await eventually(async () => expect(await tell({ set: { viewers: 3 } })).toMatchObject({ status: 200 }))
  const told = await tell({ set: { viewers: 2, fps: 60, codec: 'av1' }, add: { bytesSent: 1_000 } })
  const values = { viewers: 2, peakViewers: 3, fps: 60, codec: 'av1', bytesSent: 1_000 }
  expect(told).toMatchObject({ status: 200, body: { actor: `stream/${stream}`, values } })
  const read = await runtime.client.request('GET', `/v1/live/stream/${stream}`)
  expect(read.body).toEqual(told.body)

  expect(await command('stream.stopped')).toMatchObject({ status: 200 })
  const state = await runtime.client.request('GET', `/v1/actors/stream/${stream}?at=${encodeURIComponent(later())}`)
  expect(state.body).toMatchObject({ state: 'idle', context: { row: { fps: 60, codec: 'av1' } } })
  await runtime.node.actors.effectsIdle()
  const ended = await runtime.node.actor('broadcast', 1).state()
  expect(ended.context).toMatchObject({ row: { peak_viewers: 3, total_bytes_sent: 1_000 } })
  await eventually(async () =>
    expect((await runtime.client.request('GET', `/v1/live/stream/${stream}`)).body).toMatchObject({ values: {} }),
  )
})

function later(): string {
  return new Date(Date.now() + 60_000).toISOString()
}

test('a stream of changes tells the newest value of each figure', async () => {
  await command('stream.started')
  await eventually(async () => expect(await tell({ set: { viewers: 0 } })).toMatchObject({ status: 200 }))
  const heard = await openSse(`${runtime.server.url}/v1/live/stream?topic=stream.fps`, TOKEN)
  expect(heard.headers.get('content-type')).toMatch('text/event-stream')
  for (const fps of [10, 20, 30]) runtime.node.live('stream', stream).set('fps', fps)
  // Events without an id are asides to this client.
  await heard.aside(`event: stream.fps\ndata: {"actor":"stream/${stream}","field":"fps","value":30}`)
  expect(heard.asides).toHaveLength(2)
  heard.close()
})

test('what is no figure is refused as a whole', async () => {
  const before = await runtime.client.request('GET', `/v1/live/stream/${stream}`)
  const wrong: readonly object[] = [
    {},
    { set: { unheard: 1 } },
    { set: { fps: 25, viewers: -1 } },
    { set: { fps: 25 }, add: { bytesSent: -5 } },
    { set: { fps: 25, bytesSent: 5 } },
    { set: { fps: 25, toString: 1 } },
    { set: { fps: 25, codec: 'x'.repeat(51) } },
    { set: { fps: 25, codec: 'x\0' } },
    { set: { fps: '25' } },
    { set: { fps: 25 }, more: 1 },
  ]
  for (const body of wrong) expect((await tell(body)).status, JSON.stringify(body)).toBe(400)
  expect(await tell({ set: { viewers: 1 } }, 'user/1')).toMatchObject({ status: 404, body: { code: 'unknown_type' } })
  expect(await tell({ set: { viewers: 1 } }, 'stream/0')).toMatchObject({ status: 400 })
  expect(await tell({ set: { viewers: 1 } }, 'stream/4242')).toMatchObject({ status: 409 })
  expect((await runtime.client.request('GET', `/v1/live/stream/${stream}`)).body).toEqual(before.body)
})

test('metrics and the API document show them', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const metrics = await (await fetch(`${runtime.server.url}/metrics`, { headers })).text()
  expect(Number(/^rootstream_live_writes_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(3)
  expect(metrics).toMatch(/^rootstream_live_nodes 1$/m)
  const document = await (await fetch(`${runtime.server.url}/openapi.json`)).json()
  expect(document).toMatchObject({ paths: { '/v1/live/{type}/{id}': { get: {}, post: {} }, '/v1/live/stream': {} } })
})
