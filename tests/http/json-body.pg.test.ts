/** What says that it is JSON and is empty: taken where a route wants no body, as many clients say JSON of every request. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

const EMPTY: readonly (readonly [string, Record<string, string>])[] = [
  ['of no length', { 'content-length': '0' }],
  ['in no chunks', { 'transfer-encoding': 'chunked' }],
]
const json = { 'content-type': 'application/json; charset=utf-8' }

test.each(EMPTY)('a body %s ends the session', async (name, how) => {
  const login = name.replaceAll(' ', '-')
  const password = 'correct horse battery staple'
  const user = await runtime.node.accounts.register({ username: login, email: `${login}@example.org`, password })
  if (!user.ok) return expect.unreachable(user.detail)
  const session = await runtime.node.accounts.createSession(user.userId)
  if (!session.ok) return expect.unreachable(session.detail)
  const headers = { ...json, ...how, authorization: `Bearer ${session.token}` }
  expect(await runtime.client.request('POST', '/api/auth/logout', { headers })).toMatchObject({ status: 204 })
  expect(await runtime.node.actor('session', session.sessionId).state()).toMatchObject({ state: 'closed' })
})

test.each(EMPTY)('a body %s is refused where one is wanted', async (_, how) => {
  const answer = await runtime.client.request('POST', '/api/auth/login', { headers: { ...json, ...how } })
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'invalid_input', detail: 'The body is empty. Nothing was changed.' },
  })
})

test('a body that is no JSON is refused, wanted or not', async () => {
  const url = new URL('/api/auth/logout', runtime.server.url)
  const answer = await fetch(url, { method: 'POST', headers: json, body: ' ' })
  expect(answer.status).toBe(400)
})
