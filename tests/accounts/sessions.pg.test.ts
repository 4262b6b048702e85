/** Sessions on a real log: opened by a login, valid everywhere, over everywhere. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeNode } from '../../src/index.ts'
import { type NodePair, startNodePair } from '../support/node-pair.ts'
import { eventually } from '../sync/eventually.ts'

const password = 'correct horse battery staple'

describe('sessions', () => {
  let pair: NodePair
  let node: RuntimeNode
  let other: RuntimeNode

  beforeAll(async () => {
    pair = await startNodePair()
    ;({ node, other } = pair)
  })

  afterAll(() => pair.close())

  async function opened(username: string) {
    const registered = await node.accounts.register({ username, email: `${username}@example.org`, password })
    if (!registered.ok) return expect.unreachable(registered.detail)
    const session = await node.accounts.login({ login: username, password })
    return session.ok ? session : expect.unreachable(session.detail)
  }

  test('a login opens a session that is valid on another node, until it is closed', async () => {
    const { token, userId, sessionId } = await opened('ada')
    expect(await other.accounts.validate(token)).toMatchObject({ ok: true, userId, sessionId, roles: ['viewer'] })
    await other.accounts.logout(token)
    await eventually(async () =>
      expect(await node.accounts.validate(token)).toMatchObject({ ok: false, reason: 'invalid_session' }),
    )
  })

  test('a wrong password, an unknown name and an account out of use get the same answer', async () => {
    const { userId } = await opened('bob')
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    const answers = await Promise.all([
      node.accounts.login({ login: 'ada', password: 'wrong horse battery staple' }),
      node.accounts.login({ login: 'nobody', password }),
      node.accounts.login({ login: 'bob', password }),
    ])
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0]).toMatchObject({ ok: false, reason: 'invalid_credentials' })
  })

  test('a user whose sessions are ended has none left', async () => {
    const first = await opened('eve')
    const second = await node.accounts.login({ login: 'eve@example.org', password })
    if (!second.ok) return expect.unreachable(second.detail)
    expect(await other.accounts.endSessions(first.userId, 'asked', second.sessionId)).toBe(1)
    await eventually(async () => expect(await node.accounts.validate(first.token)).toMatchObject({ ok: false }))
    expect(await node.accounts.validate(second.token)).toMatchObject({ ok: true })
  })
})
