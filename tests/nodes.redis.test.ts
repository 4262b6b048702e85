/** Two nodes on one Postgres and one Redis: what one commits, the other hears. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogEvent } from '../src/core/event.ts'
import { createManualClock } from './support/manual-clock.ts'
import { createRedisNodes } from './support/redis-nodes.ts'
import { eventually } from './sync/eventually.ts'

const nodes = createRedisNodes()
beforeEach(() => nodes.open())
afterEach(() => nodes.close())
const { start } = nodes

test('a subscriber on one node hears what another commits, and both see the same state', async () => {
  const [a, b] = [await start('a'), await start('b')]
  const heard: LogEvent[] = []
  b.subscribe('user.*', event => heard.push(event))
  await eventually(async () => {
    expect((await a.health()).components.bus.status).toBe('ok')
    expect((await b.health()).components.bus.status).toBe('ok')
  })
  const created = await a.create('user', {
    type: 'user.registered',
    username: 'ada',
    email: 'ada@example.org',
    passwordHash: 'x',
  })
  if (!created.ok) throw new Error(created.reason)
  await eventually(() => expect(heard).toEqual([created.event]))
  const { id } = created.actor
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      (n % 2 === 0 ? a : b).actor('user', id).send({ type: 'user.updated', displayName: `n${n}` }),
    ),
  )
  expect(results.every(result => result.ok)).toBe(true)
  expect((await a.actor('user', id).state()).version).toBe(51)
  expect(await b.actor('user', id).state()).toEqual(await a.actor('user', id).state())
  await eventually(() => expect(heard.filter(event => event.actorId === id).length).toBeGreaterThanOrEqual(51))
})

test('what a writer did not project any more is in the read tables half a second after the others heard of it', async () => {
  const clock = createManualClock()
  const [a, b] = [await start('a'), await start('b', { clock })]
  const heard: LogEvent[] = []
  b.subscribe('user.*', event => heard.push(event))
  await eventually(async () => {
    for (const node of [a, b]) expect((await node.health()).components.bus.status).toBe('ok')
  })
  // As if it had been killed between its commit and the next page.
  await a.projections.stop()
  const ada = { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' }
  expect((await a.create('user', ada)).ok).toBe(true)
  await eventually(() => expect(heard).toHaveLength(1))
  expect(await b.projections.status()).toMatchObject({ position: 0, head: 1 })
  clock.advance(500)
  await eventually(async () => expect(await b.projections.status()).toMatchObject({ position: 1, lag: 0 }))
})

test('without Redis commands are taken all the same, and health says what is away', async () => {
  const a = await start('a')
  await nodes.stopRedis()
  const created = await a.create('user', {
    type: 'user.registered',
    username: 'ada',
    email: 'ada@example.org',
    passwordHash: 'x',
  })
  expect(created.ok).toBe(true)
  await eventually(async () =>
    expect(await a.health()).toMatchObject({
      status: 'degraded',
      components: { log: { status: 'ok' }, bus: { status: 'degraded' } },
    }),
  )
})
