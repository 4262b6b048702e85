/** Each route for users has its row in the table of permissions, and holds to it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { permits } from '../../src/accounts/permissions.ts'
import { type Access, USER_ROUTES } from '../../src/http/route-permissions.ts'
import { ROLES } from '../../src/machines/user/events.ts'
import { registerUser, showFactor, signIn, signInAdmin } from '../support/accounts.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
  for (const role of ROLES) await registerUser(runtime.node, role, [role])
})
afterAll(() => runtime.stop())

const rows = Object.entries(USER_ROUTES).map(([route, access]) => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path: path.replaceAll(/:\w+/g, '1'), access }
})
const guarded = rows.filter(({ access }) => access !== 'anyone' && access !== 'route')

/** What a request without a body is answered: only one that was let in gets as far as to miss it. */
async function ask(method: string, path: string, token?: string) {
  const headers: Record<string, string> =
    token === undefined ? { authorization: '' } : { authorization: `Bearer ${token}` }
  const { status, body } = await runtime.client.request(method, path, { headers })
  return { status, code: (body as { code?: string } | null)?.code }
}

test('the routes of users and the rows of the table are the same', async () => {
  const { paths } = (await (await fetch(`${runtime.server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>
  }
  const routes = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/'))
    .flatMap(([path, item]) => Object.keys(item).map(method => `${method.toUpperCase()} ${path}`))
  expect(routes.sort()).toEqual(rows.map(({ method, path: _, route }) => asDocumented(method, route)).sort())
  expect(routes.length).toBeGreaterThan(5)
})

function asDocumented(method: string, route: string): string {
  return `${method} ${route.slice(method.length + 1).replaceAll(/:(\w+)/g, '{$1}')}`
}

describe.each(guarded)('$route', ({ method, path }) => {
  test('lets nobody in without a session, and not the token of the node', async () => {
    for (const token of [undefined, TOKEN, 'rss_1_', ''])
      expect(await ask(method, path, token)).toEqual({ status: 401, code: 'invalid_session' })
  })
})

describe.each(guarded.filter(({ access }) => isPermission(access)))('$route', ({ method, path, access }) => {
  test('is for the roles of its permission', async () => {
    for (const role of ROLES) {
      const session = await showFactor(runtime.node, await signIn(runtime.node, role))
      const { status } = await ask(method, path, session.token)
      expect(status === 403, `${role}: ${status}`).toBe(isPermission(access) && !permits([role], access))
    }
  })
})

function isPermission(access: Access): access is Exclude<Access, 'anyone' | 'session' | 'route'> {
  return access !== 'anyone' && access !== 'session' && access !== 'route'
}

test('what changes accounts asks for a fresh factor, also of an administrator', async () => {
  const { token } = await signIn(runtime.node, 'admin')
  expect(await ask('GET', '/api/users/1', token)).toMatchObject({ status: 200 })
  expect(await ask('POST', '/api/users/1/reactivate', token)).toEqual({ status: 403, code: 'factor_required' })
})

test('a change by HTTP is in the audit under the name of its administrator', async () => {
  const { userId, token } = await signInAdmin(runtime.node, 'auditor')
  const victim = await registerUser(runtime.node, 'victim')
  const answer = await runtime.client.request('POST', `/api/users/${victim}/roles`, {
    body: { roles: ['operator', 'viewer'] },
    headers: { authorization: `Bearer ${token}`, 'x-user-id': '1' },
  })
  expect(answer).toMatchObject({ status: 200, body: { ended: 0 } })
  const { events } = await runtime.node.log.audit({ type: 'user.roles.changed', userId })
  expect(events).toMatchObject([{ actorId: victim, data: { roles: ['operator', 'viewer'] } }])
})
