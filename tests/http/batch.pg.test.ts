/** Batches: each command its own answer, in order, written together. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

interface Result {
  readonly status: number
  readonly body?: { actor: string; id: number; version: number; position: number; repeated: boolean }
  readonly problem?: Record<string, unknown>
}

const post = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  runtime.client.request('POST', '/v1/commands', { body: body as object, headers })

async function batch(commands: object[], headers: Record<string, string> = {}): Promise<readonly Result[]> {
  const answer = await post({ commands }, headers)
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 })
  const { results } = answer.body as { results: Result[] }
  expect(results).toHaveLength(commands.length)
  return results
}

let count = 0
const register = (name = `u${++count}`) => ({
  actor: 'user',
  event: { type: 'user.registered', username: name, email: `${name}@example.org`, passwordHash: 'x' },
})
async function newStream(): Promise<string> {
  const [user] = await batch([register()])
  const event = { type: 'stream.created', userId: user?.body?.id, name: 'x', streamKey: `k${++count}` }
  const [stream] = await batch([{ actor: 'stream', event }])
  return stream?.body?.actor ?? ''
}

describe('a batch', () => {
  test('answers each command in its place, with what it alone would have got', async () => {
    const actor = await newStream()
    const results = await batch([
      register(),
      { actor, event: { type: 'stream.started' } },
      { actor, event: { type: 'stream.started' } },
      { actor, event: { type: 'viewer.joined' }, expectedVersion: 9 },
      { actor, event: { type: 'stream.viewers.updated', viewers: -1 } },
      { actor, event: { type: 'stream.expired' } },
      { actor: 'unheard/1', event: { type: 'x' } },
      { actor: 'stream/0', event: { type: 'stream.started' } },
      { actor: 'stream/1e3', event: { type: 'stream.started' } },
      { actor, event: { type: 'viewer.joined' }, commandId: 'with space' },
      { actor: 'stream/4242', event: { type: 'stream.started' } },
      { actor, event: { type: 'stream.stopped' }, userId: 7, correlation: 'c-1' },
    ])
    expect(results.map(({ status, problem }) => [status, problem?.['code']])).toEqual([
      [201, undefined],
      [200, undefined],
      [409, 'not_allowed'],
      [412, 'wrong_version'],
      [422, 'invalid_event'],
      [404, 'unknown_type'],
      [404, 'unknown_type'],
      [400, 'invalid_input'],
      [400, 'invalid_input'],
      [400, 'invalid_input'],
      [409, 'not_allowed'],
      [200, undefined],
    ])
    expect(results[2]?.problem).toMatchObject({
      actor,
      version: 2,
      allowed: expect.arrayContaining(['stream.stopped']),
    })
    const alone = await runtime.client.request('POST', `/v1/actors/${actor}/commands`, {
      body: { type: 'stream.stopped' },
    })
    expect(alone.body).toMatchObject({ code: 'not_allowed', version: 3 })
    const history = await runtime.client.request('GET', `/v1/actors/${actor}/events?from=3`)
    expect(history.body).toMatchObject({ events: [{ type: 'stream.stopped', userId: 7, correlation: 'c-1' }] })
  })

  test('applies the commands of one actor in their order, between those of others', async () => {
    const actors = await Promise.all([newStream(), newStream(), newStream()])
    await batch(actors.map(actor => ({ actor, event: { type: 'stream.started' } })))
    // Opens a broadcast, which is version 3.
    await runtime.node.actors.effectsIdle()
    const commands = Array.from({ length: 999 }, (_, n) => ({
      actor: actors[n % 3],
      event: { type: 'stream.viewers.updated', viewers: n },
      expectedVersion: Math.floor(n / 3) + 3,
    }))
    const results = await batch(commands)
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]))
    for (const [index, actor] of actors.entries()) {
      const page = await runtime.client.request('GET', `/v1/actors/${actor}/events?from=4&limit=1000`)
      const { events } = page.body as { events: { data: { viewers: number } }[] }
      expect(events.map(({ data }) => data.viewers)).toEqual(Array.from({ length: 333 }, (_, n) => n * 3 + index))
    }
  })

  test('shares commits: a thousand new actors are written in few statements', async () => {
    await runtime.node.actors.effectsIdle()
    const start = await runtime.node.log.head()
    const results = await batch(Array.from({ length: 1_000 }, () => register()))
    expect(results.every(({ status }) => status === 201)).toBe(true)
    expect(new Set(results.map(({ body }) => body?.id)).size).toBe(1_000)
    const pages = await runtime.node.log.audit({ after: start, limit: 1_000 })
    expect(pages.events).toHaveLength(1_000)
    // Postgres stamps each transaction: its id is the same for all rows of one commit.
    const connection = new pg.Client({ connectionString: runtime.database.url })
    await connection.connect()
    const { rows } = await connection.query(
      'select count(distinct xmin::text) as commits from events where position > $1',
      [start],
    )
    await connection.end()
    expect(Number(rows[0]?.commits)).toBeLessThan(100)
  })

  test('sent again, it answers what it answered, and changes nothing', async () => {
    const actor = await newStream()
    const commands = [register(), { actor, event: { type: 'stream.started' } }, { ...register(), commandId: 'own' }]
    const first = await batch(commands, { 'idempotency-key': 'batch-1', 'x-user-id': '5', 'x-correlation-id': 'b' })
    await runtime.node.actors.effectsIdle()
    const head = await runtime.node.log.head()
    const again = await batch(commands, { 'idempotency-key': 'batch-1' })
    expect(again).toEqual(first.map(result => ({ ...result, body: { ...result.body, repeated: true } })))
    expect(await runtime.node.log.head()).toBe(head)
    const ids = await Promise.all(first.map(({ body }) => runtime.node.log.eventAt(body?.position ?? 0)))
    expect(ids.map(event => [event?.commandId, event?.userId, event?.correlation])).toEqual([
      ['batch-1/0', 5, 'b'],
      ['batch-1/1', 5, 'b'],
      ['own', 5, 'b'],
    ])
  })

  test('one command id twice in it is one command', async () => {
    const actor = await newStream()
    const start = { actor, event: { type: 'stream.started' }, commandId: `twice-${actor}` }
    const results = await batch([start, start])
    expect(results.map(({ status, body }) => [status, body?.version, body?.repeated])).toEqual([
      [200, 2, false],
      [200, 2, true],
    ])
  })
})

describe('nothing of a batch is taken that', () => {
  const command = register('never')
  test.each([
    ['is empty', { commands: [] }],
    ['holds more than a thousand', { commands: Array(1_001).fill(command) }],
    ['is a list', [command]],
    ['has a command without actor', { commands: [command, { event: command.event }] }],
    ['has a command without event', { commands: [command, { actor: 'user' }] }],
    ['has an event without type', { commands: [command, { actor: 'user', event: { username: 'x' } }] }],
    ['has an unknown field', { commands: [command, { ...command, version: 1 }] }],
    ['has a version that is none', { commands: [command, { ...command, expectedVersion: 1.5 }] }],
    ['has a user that is none', { commands: [command, { ...command, userId: 0 }] }],
  ])('%s', async (_, body) => {
    await runtime.node.actors.effectsIdle()
    const head = await runtime.node.log.head()
    expect(await post(body)).toMatchObject({ status: 400, body: { code: 'invalid_input' } })
    expect(await runtime.node.log.head()).toBe(head)
  })

  test('comes with If-Match, which says nothing about many actors', async () => {
    expect(await post({ commands: [command] }, { 'if-match': '"1"' })).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('expectedVersion') },
    })
  })
})

test('a command in a batch may be as deep and as large as alone', async () => {
  const nest = (depth: number): unknown => (depth === 0 ? 1 : [nest(depth - 1)])
  const [deep, deeper] = await Promise.all(
    [30, 31].map(depth => post({ commands: [{ actor: 'user', event: { type: 'user.registered', x: nest(depth) } }] })),
  )
  // Deep enough to be looked at, and refused for what it is; or too deep to be looked at.
  expect(deep).toMatchObject({ status: 200, body: { results: [{ status: 422 }] } })
  expect(deeper?.status).toBe(200)
  expect(await post({ commands: [{ actor: 'user', event: { type: 'user.registered', x: nest(33) } }] })).toMatchObject({
    status: 400,
    body: { code: 'invalid_input' },
  })
  const large = Array.from({ length: 60 }, () => ({
    actor: 'user',
    event: { ...register().event, displayName: 'x'.repeat(60_000) },
  }))
  expect(new Set((await batch(large)).map(({ status }) => status))).toEqual(new Set([422]))
  expect(await post({ commands: [...large, ...large] })).toMatchObject({ status: 413 })
})
