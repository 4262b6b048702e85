/** Every route for users under the same attacks: a page elsewhere, a session that is short of a factor, a token where none belongs. */
import http from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { USER_ROUTES } from '../../src/http/route-permissions.ts'
import { PASSWORD, registerUser, showFactor, signIn } from '../support/accounts.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'
import { sampleOf } from './sample-input.ts'

interface Operation {
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Record<string, unknown> }> }
}

let runtime: TestRuntime
let document: { readonly paths: Record<string, Record<string, Operation>> }
let victim: number
beforeAll(async () => {
  runtime = await startRuntime({ accounts: { publicUrl: 'https://stream.example.org', registration: 'open' } })
  document = (await (await fetch(`${runtime.server.url}/openapi.json`)).json()) as typeof document
  await registerUser(runtime.node, 'root', ['admin'])
  victim = await registerUser(runtime.node, 'victim')
})
afterAll(() => runtime.stop())

const routes = Object.entries(USER_ROUTES).map(([route, access]) => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path, access }
})
/** For who shows no session, or shows what takes its place. */
const WITHOUT_SESSION = routes.filter(({ access }) => access === 'anyone').map(({ route }) => route)
/** What a session may do that waits for a factor: show one, which is the password for users without another. */
const SHOWS_FACTORS = [
  'POST /api/auth/confirm',
  'POST /api/auth/mfa/send',
  'POST /api/auth/mfa/verify',
  'POST /api/auth/passkeys/verify/options',
  'POST /api/auth/passkeys/verify',
]
/** Of those without a session, what reads cookies. */
const READS_COOKIES = ['POST /api/auth/logout', 'POST /api/auth/refresh', 'POST /api/auth/register']

interface RawAnswer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

function send(method: string, path: string, headers: http.OutgoingHttpHeaders, body = ''): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request(runtime.server.url + path, { method, headers }, async response =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: await text(response) }),
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** What fits the document, for the victim and for a factor that there is. */
function sample({ method, path }: { readonly method: string; readonly path: string }) {
  const address = path.replace('{method}', 'email')
  const operation = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
  const schema = operation?.requestBody?.content['application/json']?.schema
  return {
    address: address.replace(':id', String(victim)).replace(':method', 'email'),
    body: schema === undefined ? '' : JSON.stringify(sampleOf(schema, document)),
    type: schema === undefined ? {} : { 'content-type': 'application/json' },
  }
}

/** An administrator who showed a factor a moment ago: nothing is refused for want of rights. */
async function admin() {
  return showFactor(runtime.node, await signIn(runtime.node, 'root'))
}

const cookieOf = (token: string) => `__Host-rootstream-session=${token}`
const stands = async (token: string) => (await runtime.node.accounts.validate(token)).ok

const posts = routes.filter(({ method }) => method === 'POST')

describe.each(routes)('$route', row => {
  test('is kept by no cache', async () => {
    const { address } = sample(row)
    for (const authorization of ['', `Bearer ${(await admin()).token}`])
      expect((await send(row.method, address, { authorization })).headers['cache-control']).toBe('no-store')
  })
})

describe('a page of another site', () => {
  const sites = (host: string) => [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: `http://${host}` },
    { 'sec-fetch-site': '' },
    { origin: 'https://evil.example' },
    { origin: `http://${host}.evil.example` },
    { origin: `http://evil.example/${host}` },
    { origin: 'http://127.0.0.1' },
    { origin: 'null' },
    { origin: '' },
    { referer: `http://${host}/` },
    {},
  ]
  const readCookies = posts.filter(({ route }) => !WITHOUT_SESSION.includes(route) || READS_COOKIES.includes(route))

  test.each(readCookies)('does nothing by a cookie at $route', async ({ method, path }) => {
    const { address, body, type } = sample({ method, path })
    const { token } = await admin()
    for (const from of sites(new URL(runtime.server.url).host)) {
      const answer = await send(method, address, { cookie: cookieOf(token), ...type, ...from }, body)
      expect(answer.status, `${JSON.stringify(from)}: ${answer.text}`).toBe(400)
      expect(answer.text).toContain('another site')
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
    expect(await stands(token)).toBe(true)
  })

  const read = routes.filter(({ method, route }) => method === 'GET' && !WITHOUT_SESSION.includes(route))

  test.each(read)('challenges no session by a link to $route', async ({ path }) => {
    const { node } = runtime
    const { address } = sample({ method: 'GET', path })
    const { userId } = await admin()
    const laptop = { deviceId: 'laptop' }
    const session = await node.accounts.createSession(userId, laptop)
    if (!session.ok) return expect.unreachable(session.detail)
    const cookie = cookieOf(session.token)
    for (const site of ['cross-site', 'same-site'])
      expect(
        (await send('GET', address, { cookie, 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate' })).status,
      ).toBe(400)
    expect(await node.accounts.validate(session.token, laptop)).toMatchObject({ ok: true })
    for (const own of [{ 'sec-fetch-site': 'same-origin' }, {}])
      expect((await send('GET', address, { cookie, 'x-device-id': 'laptop', ...own })).status).not.toBe(400)
    expect(await node.accounts.validate(session.token, laptop)).toMatchObject({ ok: true })
  })

  // A body of JSON makes the browser ask first, and nobody answers that.
  test.each(posts)('sends nothing that is read at $route', async ({ method, path }) => {
    const { address, body } = sample({ method, path })
    const asked = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const leave = await send('OPTIONS', address, { ...asked, 'access-control-request-headers': 'content-type' })
    expect(leave.status).toBeGreaterThanOrEqual(400)
    expect(Object.keys(leave.headers).filter(name => name.startsWith('access-control-'))).toEqual([])
    const { token } = await admin()
    const own = { cookie: cookieOf(token), 'sec-fetch-site': 'same-origin', 'content-length': 2 + body.length }
    for (const type of [undefined, 'text/plain', 'text/plain; application/json', 'application/jsonx', 'text/json']) {
      const answer = await send(method, address, { ...own, ...(type && { 'content-type': type }) }, `${body}  `)
      expect(answer.status, `${type}: ${answer.text}`).toBe(400)
      expect(answer.text).toContain('no JSON')
    }
    expect(await stands(token)).toBe(true)
  })
})

const withSession = routes.filter(({ route }) => !WITHOUT_SESSION.includes(route))

test.each(withSession)('$route knows no token in its address', async ({ method, path }) => {
  const { address, body, type } = sample({ method, path })
  const { token } = await admin()
  const query = ['token', 'access_token', 'session', 'authorization'].map(name => `${name}=${token}`).join('&')
  const answer = await send(method, `${address}?${query}`, type, body)
  expect(answer.status, answer.text).toBe(401)
  expect(answer.text).not.toContain(token)
  expect(await stands(token)).toBe(true)
})

describe('a session that is short of a factor', () => {
  let tokens: readonly string[]
  beforeAll(async () => {
    tokens = [await pendingToken(), await challengedToken()]
  })

  test.each(withSession.filter(({ route }) => !SHOWS_FACTORS.includes(route)))(
    'does nothing at $route, whatever its roles',
    async ({ method, path }) => {
      const { address, body, type } = sample({ method, path })
      const { node } = runtime
      const before = await node.log.head()
      for (const token of tokens)
        for (const shown of [
          { authorization: `Bearer ${token}` },
          { cookie: cookieOf(token), 'sec-fetch-site': 'same-origin' },
        ]) {
          const answer = await send(method, address, { ...shown, ...type }, body)
          expect([401, 403], answer.text).toContain(answer.status)
          expect(answer.text).toMatch(/"code":"(?:invalid_session|factor_required)"/)
        }
      expect(await node.log.head()).toBe(before)
    },
  )

  test('is there to show one', async () => {
    const { node } = runtime
    for (const token of tokens)
      expect(await node.accounts.verifyFactor(token, { method: 'backup_codes', code: '0' })).toMatchObject({
        reason: 'invalid_code',
      })
  })
})

let users = 0
async function fullSession() {
  const login = `short-${++users}`
  await runtime.node.accounts.register({ username: login, email: `${login}@example.org`, password: PASSWORD })
  return { login, ...(await signIn(runtime.node, login)) }
}

/** Roles would let it do anything. */
async function pendingToken(): Promise<string> {
  const { node } = runtime
  const { token, userId, login } = await fullSession()
  const id = await node.log.nextId('factor')
  const codes = Array(10).fill('x'.repeat(43))
  await node.actor('factor', id).send({ type: 'factor.enrolled', userId, method: 'totp', secret: 'sealed' })
  await node.actor('factor', id).send({ type: 'factor.confirmed', step: 1 })
  const backup = await node.log.nextId('factor')
  await node
    .actor('factor', backup)
    .send({ type: 'factor.enrolled', userId, method: 'backup_codes', backupCodes: codes })
  await node.actor('user', userId).send({ type: 'user.roles.changed', roles: ['admin'] })
  const login2 = await node.accounts.login({ login, password: PASSWORD })
  if (!login2.ok || login2.pending !== true) throw new Error(`not pending: ${token}`)
  return login2.token
}

async function challengedToken(): Promise<string> {
  const { node } = runtime
  const { login, userId } = await fullSession()
  await node.actor('user', userId).send({ type: 'user.roles.changed', roles: ['admin'] })
  const session = await showFactor(node, await signIn(node, login))
  await node.actor('session', session.sessionId).send({ type: 'session.challenged', reason: 'another device' })
  return session.token
}
