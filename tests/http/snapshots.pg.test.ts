/** Snapshots and deltas of a real node: in process, over HTTP in both forms, and followed by a client. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyDelta, decodeSnapshot, maskSnapshot, parseDelta, parseSnapshot } from '../../src/index.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

const SECRET = 'a-key-nobody-else-knows'
let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

const get = (path: string, headers: Record<string, string> = {}) => runtime.client.request('GET', path, { headers })
const code = (answer: { body: unknown }) => (answer.body as { code: string }).code

let count = 0
async function newStream(): Promise<number> {
  const name = `ada${++count}`
  const user = await runtime.node.create('user', {
    ...{ type: 'user.registered', username: name, email: `${name}@example.org` },
    passwordHash: 'x',
  })
  if (!user.ok) throw new Error(user.reason)
  const stream = await runtime.node.create('stream', {
    ...{ type: 'stream.created', userId: user.actor.id, name: 'Mine' },
    streamKey: `${SECRET}-${count}`,
  })
  if (!stream.ok) throw new Error(stream.reason)
  return stream.actor.id
}

async function update(id: number, times: number): Promise<void> {
  const stream = runtime.node.actor('stream', id)
  await Promise.all(
    Array.from({ length: times }, (_, n) => stream.send({ type: 'stream.renamed', name: `${n}`.padStart(100, '-') })),
  )
}

test('a client keeps a copy and follows the actor by deltas', async () => {
  const id = await newStream()
  const url = `/v1/actors/stream/${id}`
  let copy = parseSnapshot((await get(`${url}/snapshot`)).body)
  expect(copy).toMatchObject({ type: 'stream', id, version: 1, format: 1, state: { value: 'idle' } })
  for (const times of [1, 2, 0, 300]) {
    await update(id, times)
    const delta = parseDelta((await get(`${url}/delta?since=${copy.version}`)).body)
    expect(delta.kind).toBe(times === 300 ? 'snapshot' : 'events')
    copy = applyDelta(copy, delta)
    expect(copy).toEqual(maskSnapshot(await runtime.node.getSnapshot('stream', id)))
  }
  expect(copy.version).toBe(304)
  const { kind, events } = (await get(`${url}/delta?since=304`)).body as { kind: string; events: unknown[] }
  expect({ kind, events }).toEqual({ kind: 'events', events: [] })
})

test('the delta of a long absence is a snapshot', async () => {
  const id = await newStream()
  const stream = runtime.node.actor('stream', id)
  await stream.send({ type: 'stream.started' })
  await Promise.all(Array.from({ length: 500 }, () => stream.send({ type: 'viewer.joined' })))
  expect(await runtime.node.getDelta('stream', id, 1)).toMatchObject({ kind: 'snapshot', from: 1 })
  const { version } = await runtime.node.getSnapshot('stream', id)
  const near = await runtime.node.getDelta('stream', id, version - 2)
  expect(near).toMatchObject({ kind: 'events', from: version - 2, to: version })
})

test('both forms say the same, under a tag of the version', async () => {
  const id = await newStream()
  const url = `/v1/actors/stream/${id}/snapshot`
  const asJson = await get(url)
  expect(asJson.headers).toMatchObject({ etag: '"1"', vary: 'accept' })
  const response = await fetch(runtime.server.url + url, {
    headers: { authorization: `Bearer ${TOKEN}`, accept: 'application/json;q=0.5, application/octet-stream' },
  })
  expect(response.headers.get('content-type')).toBe('application/octet-stream')
  expect(response.headers.get('etag')).toBe('W/"1"')
  expect(decodeSnapshot(await response.bytes())).toEqual(asJson.body)
  for (const tag of ['"1"', 'W/"1"', '"9", "1"'])
    expect((await get(url, { 'if-none-match': tag })).status, tag).toBe(304)
  await update(id, 1)
  expect(await get(url, { 'if-none-match': '"1"' })).toMatchObject({ status: 200, headers: { etag: '"2"' } })
})

test('secrets stay within the node', async () => {
  const id = await newStream()
  await runtime.node.actor('stream', id).send({ type: 'stream.key.rotated', streamKey: `${SECRET}-rotated` })
  const { state } = await runtime.node.getSnapshot('stream', id)
  expect(JSON.stringify(state)).toContain(SECRET)
  for (const path of ['snapshot', 'delta?since=0', 'delta?since=1']) {
    const answer = await get(`/v1/actors/stream/${id}/${path}`)
    expect(answer.status).toBe(200)
    expect(JSON.stringify(answer.body), path).not.toContain(SECRET)
  }
  const bytes = await fetch(`${runtime.server.url}/v1/actors/stream/${id}/snapshot`, {
    headers: { authorization: `Bearer ${TOKEN}`, accept: 'application/octet-stream' },
  })
  expect(JSON.stringify(decodeSnapshot(await bytes.bytes()))).not.toContain(SECRET)
})

test('what is not there is said', async () => {
  const id = await newStream()
  const url = `/v1/actors/stream/${id}`
  for (const path of ['/v1/actors/stream/4242/snapshot', '/v1/actors/stream/4242/delta', `${url}/delta?since=2`]) {
    const answer = await get(path)
    expect([answer.status, code(answer)], path).toEqual([404, 'not_found'])
  }
  expect(code(await get('/v1/actors/unheard/1/snapshot'))).toBe('unknown_type')
  for (const since of ['-1', 'x', '1.5', '99999999999999999999'])
    expect((await get(`${url}/delta?since=${since}`)).status, since).toBe(400)
  expect((await get(`${url}/delta?until=1`)).status).toBe(400)
  await expect(runtime.node.getDelta('stream', id, -1)).rejects.toMatchObject({ code: 'invalid_input' })
})
