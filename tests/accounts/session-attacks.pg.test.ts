/** Tokens in the wrong hands, and nodes that have not heard: nothing that was ended opens anything past the bound. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseRemember, parseToken } from '../../src/auth/token.ts'
import { createInProcessHub, createNode, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { registered } from './memory-stage.ts'

/** Longer than the tests take: what passes it is the clock they move. */
const maxStaleMs = 60_000

let database: TestDatabase
let node: RuntimeNode
let other: RuntimeNode
/** Hears of nobody, and does not know it. */
let deaf: RuntimeNode
let ahead = 0
beforeAll(async () => {
  database = await createTestDatabase()
  const clock = { after: systemClock.after, now: () => systemClock.now() + ahead }
  const options = { database: database.url, log: silentLogger, accounts: { maxStaleMs }, keys: TEST_KEYS }
  const hub = createInProcessHub()
  node = await createNode({ ...options, hub, name: 'a' })
  other = await createNode({ ...options, hub, name: 'b' })
  deaf = await createNode({ ...options, clock, name: 'deaf' })
})
afterAll(async () => {
  await Promise.all([node.close(), other.close(), deaf.close()])
  await database.drop()
})

let users = 0
async function opened(remember = false) {
  const userId = await registered(node, `user-${++users}`)
  const session = await node.accounts.createSession(userId, {}, { remember })
  return session.ok ? session : expect.unreachable(session.detail)
}

const ends: readonly (readonly [
  string,
  (session: { userId: number; sessionId: number; token: string }) => Promise<unknown>,
])[] = [
  ['signed out', ({ token }) => node.accounts.logout(token)],
  ['revoked', ({ sessionId }) => node.accounts.revokeSession(sessionId, 'test')],
  ['ended with all others', ({ userId }) => node.accounts.endSessions(userId, 'test')],
  [
    'of a changed password',
    ({ userId }) => node.actor('user', userId).send({ type: 'user.password.changed', passwordHash: 'x' }),
  ],
  [
    'of changed roles',
    ({ userId }) => node.actor('user', userId).send({ type: 'user.roles.changed', roles: ['admin'] }),
  ],
  ['of a user shut out', ({ userId }) => node.actor('user', userId).send({ type: 'user.deactivated' })],
  ['of a user deleted', ({ userId }) => node.actor('user', userId).send({ type: 'user.deleted' })],
]

let copiesUsed = 0
describe.each(ends)('a session %s', (_, end) => {
  test('is refused at once on its node, when it is heard of on another, and within the bound where it is not', async () => {
    const session = await opened()
    for (const each of [node, other, deaf])
      expect(await each.accounts.validate(session.token)).toMatchObject({ ok: true })
    await end(session)
    expect(await node.accounts.validate(session.token)).toMatchObject({ reason: 'invalid_session' })
    await eventually(async () =>
      expect(await other.accounts.validate(session.token)).toMatchObject({ reason: 'invalid_session' }),
    )
    // It may use its copy, unless it told the log meanwhile when the session was used, and so learned of the end.
    if ((await deaf.accounts.validate(session.token)).ok) copiesUsed++
    ahead += maxStaleMs + 1
    expect(await deaf.accounts.validate(session.token)).toMatchObject({ reason: 'invalid_session' })
    expect(await deaf.accounts.refresh({ token: session.token })).toMatchObject({ reason: 'invalid_session' })
  })
})

test('within the bound a copy is used: what is refused behind it is refused by the bound', () => {
  expect(copiesUsed).toBeGreaterThan(0)
})

test('what a token is exchanged for is asked of the log: no copy is used', async () => {
  const session = await opened(true)
  expect(await deaf.accounts.validate(session.token)).toMatchObject({ ok: true })
  await node.accounts.revokeSession(session.sessionId, 'test')
  const { token, rememberToken } = session
  expect(await deaf.accounts.refresh({ token, rememberToken })).toMatchObject({ reason: 'invalid_session' })
})

test('a clock that was set back makes no old copy a fresh one', async () => {
  const session = await opened()
  expect(await deaf.accounts.validate(session.token)).toMatchObject({ ok: true })
  await node.accounts.revokeSession(session.sessionId, 'test')
  ahead -= 30_000
  expect(await deaf.accounts.validate(session.token)).toMatchObject({ reason: 'invalid_session' })
  ahead += 30_000
})

describe('a token that is shown on two nodes at once', () => {
  test('is exchanged once: both get the same', async () => {
    const { token, rememberToken, sessionId } = await opened(true)
    const both = [node, other]
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => both[n % 2]?.accounts.refresh({ rememberToken })),
    )
    const tokens = new Set(answers.map(answer => (answer?.ok ? `${answer.token} ${answer.rememberToken}` : 'refused')))
    expect([...tokens]).toEqual([expect.stringMatching(/^rss_\S+ rsr_\S+$/)])
    expect(tokens).not.toContain(token)
    expect((await node.actor('session', sessionId).state()).version).toBe(2)
  })
})

test('texts that are no token open nothing and cost no read of the log', async () => {
  const { token, rememberToken = '' } = await opened(true)
  const reads = vi.spyOn(other.log, 'readRecorded')
  const secret = token.split('_')[2]
  const junk = [
    ...['', ' ', 'rss', 'rss_', 'rss_1', `rss_1_`, `rss_0_${secret}`, `rss_-1_${secret}`, `rss_1e3_${secret}`],
    ...[`rss_99999999999999999_${secret}`, `rss_１_${secret}`, `${token}\n`, `${token}\0`, ` ${token}`, `${token}==`],
    ...[
      token.toUpperCase(),
      token.replace('rss', 'rsr'),
      token.replace('rss', 'rst'),
      rememberToken,
      `${token}${token}`,
    ],
    ...[
      `rss_1_${'_'.repeat(43)}`,
      `rss_1_${'é'.repeat(43)}`,
      'x'.repeat(100_000),
      `rss_1_${"' or 1=1 --".padEnd(43, 'A')}`,
    ],
    randomBytes(64).toString('latin1'),
  ]
  for (const text of junk)
    expect(await other.accounts.validate(text), text).toMatchObject({ reason: 'invalid_session' })
  for (const text of junk.filter(each => each !== rememberToken)) expect(parseRemember(text), text).toBeUndefined()
  expect(parseToken('session', token)).toMatchObject({ id: expect.any(Number) })
  expect(reads).not.toHaveBeenCalled()
  reads.mockRestore()
})

test('neither the log nor the tables hold a token, of whatever age', async () => {
  const session = await opened(true)
  const next = await other.accounts.refresh({ rememberToken: session.rememberToken })
  if (!next.ok) return expect.unreachable(next.detail)
  const events = await Array.fromAsync(node.actor('session', session.sessionId).history())
  const { context } = await node.actor('session', session.sessionId).state()
  const kept = JSON.stringify([events, context])
  for (const token of [session.token, session.rememberToken, next.token, next.rememberToken])
    for (const part of (token ?? expect.unreachable()).split('_').filter(({ length }) => length > 10))
      expect(kept).not.toContain(part)
})
