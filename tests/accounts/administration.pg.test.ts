/** What administrators change of accounts: on every node, in the audit, and never so that none of them is left. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeNode } from '../../src/app.ts'
import { registerUser, signIn } from '../support/accounts.ts'
import { type NodePair, startNodePair } from '../support/node-pair.ts'
import { eventually } from '../sync/eventually.ts'

let pair: NodePair
let node: RuntimeNode
let other: RuntimeNode
let root: number

beforeAll(async () => {
  pair = await startNodePair()
  ;({ node, other } = pair)
  root = await registerUser(node, 'root', ['admin'])
})
afterAll(() => pair.close())

describe('a change ends the sessions of the account on every node', () => {
  test.each([
    ['of roles', (id: number) => node.accounts.administration.setRoles(id, ['operator'], root), 'user.roles.changed'],
    ['out of use', (id: number) => node.accounts.administration.deactivate(id, 'left', root), 'user.deactivated'],
    ['all ended', (id: number) => node.accounts.administration.endSessions(id, 'asked', root), 'user.sessions.ended'],
  ])('%s', async (name, change, type) => {
    const username = `user-${name.replaceAll(' ', '-')}`
    await registerUser(node, username)
    const first = await signIn(node, username)
    const second = await signIn(other, username)
    expect(await change(first.userId)).toEqual({ ok: true, ended: 2 })
    for (const { token } of [first, second])
      await eventually(async () =>
        expect(await other.accounts.validate(token)).toMatchObject({ ok: false, reason: 'invalid_session' }),
      )
    // The sessions say so themselves, to whoever reads the tables alone.
    for (const { sessionId } of [first, second])
      expect(await node.actor('session', sessionId).state()).toMatchObject({ state: 'revoked' })
    const { events } = await node.log.audit({ userId: root, limit: 1_000 })
    expect(events.filter(event => event.actorId === first.userId).map(event => event.type)).toEqual([type])
    expect(events.filter(event => event.type === 'session.revoked').map(event => event.actorId)).toEqual(
      expect.arrayContaining([first.sessionId, second.sessionId]),
    )
  })
})

test('administrators see the sessions that the user sees', async () => {
  const id = await registerUser(node, 'seen')
  const [first, second] = [await signIn(node, 'seen'), await signIn(other, 'seen')]
  const seen = await node.accounts.administration.sessions(id, first.sessionId)
  expect(seen).toEqual(await node.accounts.sessions(id, first.sessionId))
  expect(seen.map(session => [session.id, session.current])).toEqual([
    [second.sessionId, false],
    [first.sessionId, true],
  ])
  await expect(node.accounts.administration.sessions(999_999)).rejects.toMatchObject({ code: 'not_found' })
})

test('an account out of use signs in nowhere, and again after it was put into use', async () => {
  const id = await registerUser(node, 'pausing')
  await node.accounts.administration.deactivate(id, undefined, root)
  expect(await other.accounts.administration.show(id)).toMatchObject({ state: 'deactivated', openSessions: 0 })
  await expect(signIn(other, 'pausing')).rejects.toThrow()
  expect(await node.accounts.administration.deactivate(id, undefined, root)).toMatchObject({
    ok: false,
    reason: 'not_in_this_state',
  })
  expect(await other.accounts.administration.reactivate(id, root)).toMatchObject({ ok: true })
  await signIn(node, 'pausing')
})

test('the limit of an account goes before the one of its roles', async () => {
  const id = await registerUser(node, 'limited')
  expect(await node.accounts.administration.limitSessions(id, 1, root)).toMatchObject({ ok: true })
  const first = await signIn(node, 'limited')
  await signIn(node, 'limited')
  expect(await node.accounts.validate(first.token)).toMatchObject({ ok: false })
  expect(await node.accounts.administration.show(id)).toMatchObject({ sessionLimit: 1, openSessions: 1 })
  await node.accounts.administration.limitSessions(id, null, root)
  expect(await node.accounts.administration.show(id)).toMatchObject({ sessionLimit: null })
})

test('roles that an account has already end no session', async () => {
  const { userId, token } = await registerUser(node, 'same').then(() => signIn(node, 'same'))
  expect(await node.accounts.administration.setRoles(userId, ['viewer'], root)).toEqual({ ok: true, ended: 0 })
  expect(await node.accounts.validate(token)).toMatchObject({ ok: true })
})

test('accounts are listed by id in pages, without secrets and without deleted ones', async () => {
  const gone = await registerUser(node, 'gone')
  await node.actor('user', gone).send({ type: 'user.deleted' })
  const ids: number[] = []
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page = await other.accounts.administration.list(after, 2)
    expect(JSON.stringify(page)).not.toContain('argon2')
    ids.push(...page.users.map(user => user.id))
    after = page.next
  }
  expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  expect(ids).toContain(root)
  expect(ids).not.toContain(gone)
  await expect(node.accounts.administration.show(gone)).rejects.toMatchObject({ code: 'not_found' })
  await expect(node.accounts.administration.setRoles(gone, ['admin'], root)).rejects.toMatchObject({
    code: 'not_found',
  })
})

describe('the last administrator', () => {
  test('is neither put out of use nor without the role, by whomever', async () => {
    for (const by of [root, undefined])
      for (const refusal of [
        await node.accounts.administration.deactivate(root, undefined, by),
        await other.accounts.administration.setRoles(root, ['operator'], by),
        await other.accounts.administration.setRoles(root, [], by),
      ])
        expect(refusal).toMatchObject({ ok: false, reason: 'last_admin' })
    expect(await other.accounts.administration.show(root)).toMatchObject({ state: 'active', roles: ['admin'] })
  })

  test('one that is out of use is none that is left', async () => {
    const second = await registerUser(node, 'second', ['admin'])
    expect(await node.accounts.administration.deactivate(second, undefined, root)).toMatchObject({ ok: true })
    expect(await node.accounts.administration.deactivate(root, undefined, root)).toMatchObject({ reason: 'last_admin' })
  })

  test('two that put each other out of use at once, on two nodes: one stays', async () => {
    for (let round = 0; round < 5; round++) {
      const rival = await registerUser(node, `rival-${round}`, ['admin'])
      const results = await Promise.all([
        node.accounts.administration.deactivate(rival, undefined, root),
        other.accounts.administration.setRoles(root, ['viewer'], rival),
        other.accounts.administration.deactivate(rival, undefined, rival),
        node.accounts.administration.deactivate(root, undefined, root),
      ])
      expect(results).toContainEqual(expect.objectContaining({ ok: false, reason: 'last_admin' }))
      const { users } = await node.accounts.administration.list(0, 200)
      const admins = users.filter(({ state, roles }) => state === 'active' && roles.includes('admin'))
      expect(admins).toHaveLength(1)
      // For the next round.
      if (admins[0]?.id !== root) {
        await node.accounts.administration.reactivate(root)
        await node.accounts.administration.setRoles(root, ['admin'])
        await node.accounts.administration.deactivate(rival, undefined, root)
      }
    }
  })
})
