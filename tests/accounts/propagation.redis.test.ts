/** What ends sessions of a user reaches the other node: by Redis at once, and within the bound where the way there is cut without a word. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { registerUser, signIn, type TestSession } from '../support/accounts.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'

const BOUND_MS = 1_000

let database: TestDatabase
let redis: PrivateRedis
let proxy: FaultProxy
let near: RuntimeNode
let far: RuntimeNode
let root: number

beforeAll(async () => {
  database = await createTestDatabase()
  redis = await startPrivateRedis()
  const url = `redis://127.0.0.1:${redis.port}`
  proxy = await openFaultProxy(url)
  const options = { database: database.url, log: silentLogger, accounts: { maxStaleMs: BOUND_MS } }
  near = await createNode({ ...options, name: 'near', redis: url })
  far = await createNode({ ...options, name: 'far', redis: proxy.via(url) })
  root = await registerUser(near, 'root', ['admin'])
  await linked()
})
afterAll(async () => {
  await Promise.all([near.close(), far.close()])
  await proxy.close()
  await redis.stop()
  await database.drop()
})

/** Until each node hears the other. */
async function linked(): Promise<void> {
  await vi.waitFor(async () => {
    for (const node of [near, far]) expect((await node.health()).components.bus.status).toBe('ok')
  }, 20_000)
}

const CHANGES: readonly (readonly [string, (session: TestSession) => Promise<{ readonly ok: boolean }>])[] = [
  ['other roles', ({ userId }) => near.accounts.administration.setRoles(userId, ['operator'], root)],
  ['out of use', ({ userId }) => near.accounts.administration.deactivate(userId, undefined, root)],
  ['sessions ended', ({ userId }) => near.accounts.administration.endSessions(userId, 'asked', root)],
  [
    'another password',
    ({ userId }) => near.actor('user', userId).send({ type: 'user.password.changed', passwordHash: 'x' }),
  ],
  [
    'this session ended',
    ({ sessionId }) => near.actor('session', sessionId).send({ type: 'session.revoked', reason: 'asked' }),
  ],
]

/**
 * Asks until the token is refused. Each question that was asked later than the bound after the change was
 * acknowledged must have been answered by a refusal.
 */
async function expectRefusedWithin(token: string, acknowledgedAt: number): Promise<void> {
  for (;;) {
    const askedAt = performance.now()
    const answer = await far.accounts.validate(token)
    if (!answer.ok) return expect(answer.reason).toBe('invalid_session')
    expect(askedAt - acknowledgedAt, 'accepted after the bound').toBeLessThan(BOUND_MS)
  }
}

describe.each(CHANGES)('%s', (name, change) => {
  const username = `user-${name.replaceAll(' ', '-')}`

  test('is heard by Redis', async () => {
    await registerUser(near, username)
    const session = await signIn(far, username)
    expect(await far.accounts.validate(session.token)).toMatchObject({ ok: true })
    expect(await change(session)).toMatchObject({ ok: true })
    await expectRefusedWithin(session.token, performance.now())
  })

  test('is seen within the bound with the link cut', async () => {
    await registerUser(near, `${username}-cut`)
    const session = await signIn(far, `${username}-cut`)
    await eventually(async () => expect(await far.accounts.validate(session.token)).toMatchObject({ ok: true }))
    proxy.cut()
    try {
      expect(await far.accounts.validate(session.token)).toMatchObject({ ok: true })
      expect(await change(session)).toMatchObject({ ok: true })
      await expectRefusedWithin(session.token, performance.now())
    } finally {
      proxy.heal()
    }
    await linked()
  })
})
