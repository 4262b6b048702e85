/** How many sessions a user may have open: exact over nodes and races, bounded in what it costs. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createInProcessHub, createNode, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { MAX_OPEN_SESSIONS } from '../../src/machines/user/events.ts'
import type { UserContext } from '../../src/machines/user/machine.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../sync/eventually.ts'
import { registered } from './memory-stage.ts'

type Policy = 'refuse' | 'revoke_oldest'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

describe.each(['refuse', 'revoke_oldest'] as const)('the policy %s', policy => {
  let nodes: readonly RuntimeNode[]
  beforeAll(async () => {
    const limit = (most: number, kind: Policy = policy) => ({ most, policy: kind })
    const accounts = { sessionLimits: { admin: limit(3), operator: limit(6), viewer: limit(5) } }
    const options = { database: database.url, log: silentLogger, hub: createInProcessHub(), accounts }
    nodes = [
      await createNode({ ...options, name: `a-${policy}` }),
      await createNode({ ...options, name: `b-${policy}` }),
    ]
  })
  afterAll(async () => {
    await Promise.all(nodes.map(node => node.close()))
  })
  const [first, nodeOf] = [() => nodes[0] ?? expect.unreachable(), (n: number) => nodes[n % 2] ?? expect.unreachable()]

  async function burst(userId: number, count: number) {
    const answers = await Promise.all(Array.from({ length: count }, (_, n) => nodeOf(n).accounts.createSession(userId)))
    const opened = answers.filter(answer => answer.ok)
    const verdicts = await Promise.all(opened.map(({ token }, n) => nodeOf(n + 1).accounts.validate(token)))
    const { sessions } = (await first().actor('user', userId).state()).context as unknown as UserContext
    const valid = opened.filter((_, n) => verdicts[n]?.ok === true).map(({ sessionId }) => sessionId)
    return { answers, opened, valid, open: sessions.map(({ id }) => id) }
  }

  test('holds for 50 logins at once on two nodes', async () => {
    const { answers, opened, valid, open } = await burst(await registered(first(), `race-${policy}`), 50)
    expect(valid.toSorted((a, b) => a - b)).toEqual(open.toSorted((a, b) => a - b))
    expect(open).toHaveLength(5)
    expect(opened).toHaveLength(policy === 'refuse' ? 5 : 50)
    for (const answer of answers) if (!answer.ok) expect(answer.reason).toBe('session_limit')
  })

  test('holds by the role with the most, and by the number of the user where there is one', async () => {
    const userId = await registered(first(), `roles-${policy}`)
    const user = first().actor('user', userId)
    await user.send({ type: 'user.roles.changed', roles: ['admin', 'operator'] })
    expect((await burst(userId, 10)).open).toHaveLength(6)
    await user.send({ type: 'user.roles.changed', roles: ['admin'] })
    expect((await burst(userId, 10)).open).toHaveLength(3)
    await user.send({ type: 'user.sessions.limited', limit: 2 })
    await user.send({ type: 'user.sessions.ended' })
    expect((await burst(userId, 10)).open).toHaveLength(2)
  })

  test('counts none that was signed out or ended by itself', async () => {
    const userId = await registered(first(), `ended-${policy}`)
    const { opened, valid } = await burst(userId, 5)
    const [over = 0, ...staying] = valid
    await first().accounts.revokeSession(over, 'test')
    const next = await nodeOf(1).accounts.createSession(userId)
    expect(next.ok).toBe(true)
    for (const { token, sessionId } of opened)
      expect((await first().accounts.validate(token)).ok).toBe(staying.includes(sessionId))
  })

  test('opens nothing for a password that was changed after it was looked at', async () => {
    const userId = await registered(first(), `epoch-${policy}`)
    const opened = { sessionId: 77_777, expiresAt: '2099-01-01T00:00:00.000Z', limit: 5, policy, authEpoch: 0 }
    const user = nodeOf(1).actor('user', userId)
    await first().actor('user', userId).send({ type: 'user.password.changed', passwordHash: 'other' })
    expect(await user.send({ type: 'user.login.recorded', opened })).toMatchObject({ ok: false })
    expect(await user.send({ type: 'user.login.recorded', opened: { ...opened, authEpoch: 1 } })).toMatchObject({
      ok: true,
    })
  })

  test('opens nothing by a limit that was worked out from other roles or another number', async () => {
    const user = nodeOf(1).actor('user', await registered(first(), `limit-of-${policy}`))
    const login = (roles: string[], sessionLimit: number | null) => {
      const opened = { sessionId: 77_778, expiresAt: '2099-01-01T00:00:00.000Z', limit: 5, policy }
      return user.send({ type: 'user.login.recorded', opened: { ...opened, limitOf: { roles, sessionLimit } } })
    }
    for (const [roles, number] of [
      [['admin'], null],
      [['admin', 'viewer'], null],
      [[], null],
      [['viewer'], 5],
    ] as const)
      expect(await login([...roles], number)).toMatchObject({ ok: false })
    expect(await login(['viewer'], null)).toMatchObject({ ok: true })
  })
})

describe('a node that heard nothing of what others changed', () => {
  let nodes: readonly RuntimeNode[]
  beforeAll(async () => {
    const sessionLimits = {
      admin: { most: 2, policy: 'refuse' },
      operator: { most: 9, policy: 'refuse' },
      viewer: { most: 4, policy: 'refuse' },
    } as const
    // Each alone on its hub: what memory holds stays as it was for as long as it is believed.
    const options = { database: database.url, log: silentLogger, accounts: { sessionLimits, maxStaleMs: 60_000 } }
    nodes = [await createNode({ ...options, name: 'told' }), await createNode({ ...options, name: 'untold' })]
  })
  afterAll(async () => {
    await Promise.all(nodes.map(node => node.close()))
  })

  async function stage(name: string) {
    const [told = expect.unreachable(), untold = expect.unreachable()] = nodes
    const userId = await registered(told, name)
    const session = await untold.accounts.createSession(userId)
    const reads = countReads(untold)
    return { told: told.actor('user', userId), userId, untold, session, reads }
  }

  test('opens sessions without asking the log for the user', async () => {
    const { untold, userId, reads } = await stage('heard-nothing')
    for (let n = 0; n < 3; n++) expect((await untold.accounts.createSession(userId)).ok).toBe(true)
    expect(reads.count).toBe(0)
    expect(await untold.accounts.createSession(userId)).toMatchObject({ reason: 'session_limit' })
  })

  test('goes by the limit of the roles and the number that the user has now', async () => {
    const { told, untold, userId } = await stage('heard-no-role')
    const opens = async (count: number) => {
      const answers = []
      for (let n = 0; n < count; n++) answers.push((await untold.accounts.createSession(userId)).ok)
      return answers.filter(Boolean).length
    }
    await told.send({ type: 'user.roles.changed', roles: ['admin'] })
    expect(await opens(4)).toBe(2)
    await told.send({ type: 'user.roles.changed', roles: ['viewer', 'operator'] })
    expect(await opens(10)).toBe(9)
    await told.send({ type: 'user.sessions.ended' })
    await told.send({ type: 'user.sessions.limited', limit: 3 })
    expect(await opens(5)).toBe(3)
  })

  test('opens nothing for a user who was put out of use, and something for one who is back', async () => {
    const { told, untold, userId, session } = await stage('heard-no-end')
    await told.send({ type: 'user.deactivated' })
    expect(await untold.accounts.createSession(userId)).toMatchObject({ reason: 'invalid_credentials' })
    expect(session.ok && (await untold.accounts.validate(session.token)).ok).toBe(false)
    await told.send({ type: 'user.reactivated' })
    expect((await untold.accounts.createSession(userId)).ok).toBe(true)
  })

  test('opens a session after a password that was changed, for none was shown', async () => {
    const { told, untold, userId } = await stage('heard-no-password')
    await told.send({ type: 'user.password.changed', passwordHash: 'other' })
    const session = await untold.accounts.createSession(userId)
    expect(session.ok && (await untold.accounts.validate(session.token)).ok).toBe(true)
  })

  test('asks no session that it has seen end whether it has', async () => {
    const { untold, userId, reads } = await stage('heard-ends')
    for (let n = 0; n < 20; n++) {
      const session = await untold.accounts.createSession(userId)
      if (!session.ok) return expect.unreachable(session.detail)
      await untold.accounts.revokeSession(session.sessionId, 'test')
    }
    expect(reads.count).toBe(0)
  })
})

function countReads({ log }: RuntimeNode): { readonly count: number } {
  const reads = { count: 0 }
  const { readRecorded } = log
  log.readRecorded = (actor, range) => {
    reads.count++
    return readRecorded.call(log, actor, range)
  }
  onTestFinished(() => void Object.assign(log, { readRecorded }))
  return reads
}

test('who signs in ten thousand times fills neither the memory of a node nor the time of the next login', async () => {
  const node = await createNode({ database: database.url, log: silentLogger, name: 'flooded' })
  const userId = await registered(node, 'flood')
  for (let n = 0; n < 50; n++) await Promise.all(Array.from({ length: 200 }, () => node.accounts.createSession(userId)))
  const { context } = await node.actor('user', userId).state()
  expect((context as unknown as UserContext).sessions).toHaveLength(20)
  expect(JSON.stringify(context).length).toBeLessThan(10_000)
  const reads = countReads(node)
  expect(await node.accounts.createSession(userId)).toMatchObject({ ok: true })
  expect(reads.count, 'by the limit, not by how many there were').toBeLessThan(100)
  expect(await node.accounts.sessions(userId)).toHaveLength(20)
  await node.close()
})

test('as many sessions as a limit can allow are listed, checked and ended on two nodes', async () => {
  const most = { most: MAX_OPEN_SESSIONS, policy: 'revoke_oldest' } as const
  const options = {
    ...{ database: database.url, log: silentLogger, hub: createInProcessHub() },
    accounts: { sessionLimits: { admin: most, operator: most, viewer: most } },
  }
  const nodes = [await createNode({ ...options, name: 'many-a' }), await createNode({ ...options, name: 'many-b' })]
  const [node = expect.unreachable('no node'), other = node] = nodes
  const userId = await registered(node, 'many')
  const tokens: string[] = []
  for (let n = 0; n < MAX_OPEN_SESSIONS + 100; n += 50) {
    const opened = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (nodes[index % 2] ?? node).accounts.createSession(userId)),
    )
    tokens.push(...opened.map(session => (session.ok ? session.token : expect.unreachable(session.detail))))
  }
  const valid = async (at: typeof node) => {
    const answers = await Promise.all(tokens.map(token => at.accounts.validate(token)))
    return answers.filter(({ ok }) => ok).length
  }
  for (const at of [node, other]) await eventually(async () => expect(await valid(at)).toBe(MAX_OPEN_SESSIONS))
  expect(await other.accounts.sessions(userId)).toHaveLength(MAX_OPEN_SESSIONS)
  const { version } = await node.actor('user', userId).state()
  expect(await node.accounts.endSessions(userId, 'asked')).toBe(MAX_OPEN_SESSIONS)
  expect((await node.actor('user', userId).state()).version, 'one event of the user').toBe(version + 1)
  for (const at of [node, other]) await eventually(async () => expect(await valid(at)).toBe(0))
  expect(await other.accounts.sessions(userId)).toEqual([])
  await Promise.all(nodes.map(at => at.close()))
})
