/** Erasing a user over HTTP: for admins who have just shown a second factor, and nobody else. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { issueToken } from '../../src/auth/token.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

const password = 'correct horse battery staple'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

async function registered(username: string): Promise<number> {
  const user = await runtime.node.accounts.register({ username, email: `${username}@example.org`, password })
  return user.ok ? user.userId : expect.unreachable(user.detail)
}

async function signedIn(username: string) {
  const session = await runtime.node.accounts.login({ login: username, password })
  return session.ok ? session : expect.unreachable(session.detail)
}

const erase = (id: number | string, token: string) =>
  runtime.client.request('POST', `/api/users/${id}/erase`, { headers: { authorization: `Bearer ${token}` } })

test('by an admin with a fresh factor; a viewer, a stale admin and the node token are refused', async () => {
  const { node } = runtime
  const ada = await registered('ada')
  const eve = await registered('eve')
  expect(await erase(ada, (await signedIn('eve')).token)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  await node.actor('user', eve).send({ type: 'user.roles.changed', roles: ['admin'] })
  const admin = await signedIn('eve')
  expect(await erase(ada, admin.token)).toMatchObject({ status: 403, body: { code: 'factor_required' } })
  expect(await erase(ada, 'nobody')).toMatchObject({ status: 401 })
  expect((await node.actor('user', ada).state()).state).toBe('active')

  const { token, hash } = issueToken('session', admin.sessionId)
  await node.actor('session', admin.sessionId).send({ type: 'session.elevated', tokenHash: hash, method: 'totp' })
  expect(await erase(ada, token)).toMatchObject({ status: 200, body: { userId: ada, done: true } })
  expect(await erase(ada, token)).toMatchObject({ status: 200, body: { userId: ada, done: true } })
  expect(await erase(9_999, token)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  expect(await erase('x', token)).toMatchObject({ status: 400 })
  expect(await erase(eve, token)).toMatchObject({ status: 409, body: { code: 'last_admin' } })
  expect((await node.log.audit({ userId: eve, type: 'user.erased' })).events).toMatchObject([{ actorId: ada }])

  const events = await runtime.client.request('GET', `/v1/actors/user/${ada}/events`)
  expect(JSON.stringify(events.body)).toContain(`erased-${ada}`)
  expect(JSON.stringify(events.body)).toContain('"erased":true')
  expect(JSON.stringify(events.body)).not.toContain('ada')
})
