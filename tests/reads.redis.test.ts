/** What a node may answer from memory while its Redis comes and goes: never a revoked session as an active one. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RuntimeNode } from '../src/app.ts'
import { createRedisNodes } from './support/redis-nodes.ts'
import { eventually } from './sync/eventually.ts'

const MAX = { maxStaleMs: 60_000 }
const nodes = createRedisNodes()
let a: RuntimeNode
let b: RuntimeNode
beforeEach(async () => {
  await nodes.open()
  a = await nodes.start('a')
  b = await nodes.start('b')
})
afterEach(() => nodes.close())

async function newSession(): Promise<number> {
  const user = await a.create('user', {
    ...{ type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  const session = await a.create('session', {
    ...{ type: 'session.created', userId: user.actor.id, tokenHash: 'h' },
    expiresAt: '2999-01-01T00:00:00.000Z',
  })
  if (!session.ok) throw new Error(session.reason)
  return session.actor.id
}

const busOf = async (node: RuntimeNode) => (await node.health()).components.bus.status
const linked = () =>
  eventually(async () => {
    for (const node of [a, b]) expect(await busOf(node)).toBe('ok')
  })

test('a session that was revoked elsewhere while Redis was away is revoked here at once', async () => {
  const id = await newSession()
  await linked()
  expect((await b.actor('session', id).state()).state).toBe('active')
  await nodes.stopRedis()
  await eventually(async () => expect(await busOf(b)).toBe('degraded'))
  const revoked = await a.actor('session', id).send({ type: 'session.revoked' })
  expect(revoked.ok).toBe(true)
  for (let n = 0; n < 3; n++) expect((await b.actor('session', id).state(MAX)).state).toBe('revoked')

  await nodes.startRedis()
  await linked()
  expect((await b.actor('session', id).state(MAX)).state).toBe('revoked')
})

test('over a link that holds, a revocation reaches the copy of the other node', async () => {
  const id = await newSession()
  await linked()
  expect((await b.actor('session', id).state()).state).toBe('active')
  await a.actor('session', id).send({ type: 'session.revoked' })
  await eventually(async () => expect((await b.actor('session', id).state(MAX)).state).toBe('revoked'))
})
