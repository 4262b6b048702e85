/** Passkeys and trusted devices as a browser has them: its own WebAuthn, its own cookies, an authenticator of its own. */
import net from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addAuthenticator, BROWSER_TIMEOUT_MS, ceremony, post, startBrowser } from '../support/browser.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

const password = 'correct horse battery staple'

let browser: Browser
let runtime: TestRuntime
let origin: string

beforeAll(async () => {
  browser = await startBrowser()
  const port = await freePort()
  origin = `http://localhost:${port}`
  runtime = await startRuntime({ port, accounts: { publicUrl: origin } })
}, BROWSER_TIMEOUT_MS)

afterAll(async () => {
  await browser?.close()
  await runtime?.stop()
})

/** The address is in the settings before the server has one. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** A page of the node, in a browser profile of its own, signed in by a cookie. */
async function signedIn(username: string): Promise<Page> {
  const { accounts } = runtime.node
  const registered = await accounts.register({ username, email: `${username}@example.org`, password })
  expect(registered).toMatchObject({ ok: true })
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${origin}/openapi.json`)
  expect(await post(page, '/api/auth/login', { login: username, password, cookie: true })).toMatchObject({
    status: 200,
  })
  return page
}

async function register(page: Page, label: string) {
  const begun = await post(page, '/api/auth/passkeys/register/options')
  expect(begun).toMatchObject({ status: 200 })
  return post(page, '/api/auth/passkeys/register', {
    response: await ceremony(page, 'create', begun.body?.['options']),
    label,
  })
}

async function assertion(page: Page, route: 'login' | 'verify') {
  const begun = await post(page, `/api/auth/passkeys/${route}/options`)
  expect(begun).toMatchObject({ status: 200 })
  return ceremony(page, 'get', begun.body?.['options'])
}

async function whoAmI(page: Page) {
  return page.evaluate(async () => (await fetch('/api/auth/verify')).json())
}

test('a browser registers a passkey, signs in with it alone, and trusts its device', async () => {
  const page = await signedIn('ada')
  const authenticator = await addAuthenticator(page)
  const registered = await register(page, 'this laptop')
  expect(registered).toMatchObject({ status: 200, body: { passkeyId: expect.any(String) } })
  expect(registered.body).not.toHaveProperty('token')
  expect(registered.body?.['backupCodes']).toHaveLength(10)
  expect(await authenticator.passkeys()).toHaveLength(1)

  // Alone: nobody is named, and the browser knows whose it is.
  await post(page, '/api/auth/logout')
  const alone = await assertion(page, 'login')
  expect(await post(page, '/api/auth/passkeys/login', { response: alone, cookie: true })).toMatchObject({ status: 200 })
  expect(await whoAmI(page)).toMatchObject({ username: 'ada', methods: ['passkey'], factorAt: expect.any(String) })
  expect(await post(page, '/api/auth/passkeys/login', { response: alone, cookie: true })).toMatchObject({
    status: 401,
    body: { code: 'invalid_passkey' },
  })

  // Beside the password, on a device that is trusted from then on.
  await post(page, '/api/auth/logout')
  const pending = await post(page, '/api/auth/login', { login: 'ada', password, cookie: true })
  expect(pending).toMatchObject({ status: 200, body: { pending: true, factors: ['passkey', 'backup_codes'] } })
  const shown = await post(page, '/api/auth/passkeys/verify', {
    response: await assertion(page, 'verify'),
    trustDevice: 'this laptop',
  })
  expect(shown).toMatchObject({ status: 200, body: { deviceExpiresAt: expect.any(String) } })
  expect(shown.body).not.toHaveProperty('deviceToken')
  const cookies = await page.context().cookies()
  expect(cookies).toContainEqual(
    expect.objectContaining({ name: '__Host-rootstream-device', httpOnly: true, secure: true, sameSite: 'Strict' }),
  )

  await post(page, '/api/auth/logout')
  const spared = await post(page, '/api/auth/login', { login: 'ada', password, cookie: true })
  expect(spared.body).not.toHaveProperty('pending')
  expect(await whoAmI(page)).toMatchObject({ methods: ['password', 'trusted_device'], factorAt: null })
  // What asks for a factor still does; it makes this session fresh.
  expect(await post(page, '/api/auth/passkeys/register/options')).toMatchObject({ status: 403 })
  const fresh = await post(page, '/api/auth/passkeys/verify', { response: await assertion(page, 'verify') })
  expect(fresh).toMatchObject({ status: 200 })
  expect(await post(page, '/api/auth/passkeys/register/options')).toMatchObject({ status: 200 })
  await page.context().close()
})

test('another browser profile has neither the passkey nor the trust', async () => {
  const page = await signedIn('bob')
  await addAuthenticator(page)
  await register(page, 'this laptop')
  const elsewhere = await (await browser.newContext()).newPage()
  await elsewhere.goto(`${origin}/openapi.json`)
  await addAuthenticator(elsewhere)
  expect(await post(elsewhere, '/api/auth/login', { login: 'bob', password, cookie: true })).toMatchObject({
    body: { pending: true },
  })
  const begun = await post(elsewhere, '/api/auth/passkeys/verify/options')
  expect(await ceremony(elsewhere, 'get', begun.body?.['options'])).toBe('NotAllowedError')
  await page.context().close()
  await elsewhere.context().close()
})

test('an authenticator whose user is not verified signs nothing that is taken', async () => {
  const page = await signedIn('eve')
  const authenticator = await addAuthenticator(page)
  await register(page, 'this laptop')
  await authenticator.verifies(false)
  const begun = await post(page, '/api/auth/passkeys/verify/options')
  expect(await ceremony(page, 'get', begun.body?.['options'])).toBe('NotAllowedError')
  // A script of the page asks for less than the node did.
  const lenient = { ...(begun.body?.['options'] as object), userVerification: 'discouraged' }
  const response = await ceremony(page, 'get', lenient)
  expect(response).toMatchObject({ type: 'public-key' })
  expect(await post(page, '/api/auth/passkeys/verify', { response })).toMatchObject({
    status: 401,
    body: { code: 'invalid_passkey' },
  })
  await page.context().close()
})

test('a page of another origin gets nothing from the passkeys of this one', async () => {
  const page = await signedIn('kim')
  await addAuthenticator(page)
  await register(page, 'this laptop')
  const begun = await post(page, '/api/auth/passkeys/login/options')
  // The same host by another name: a site of its own.
  await page.goto(origin.replace('localhost', '127.0.0.1').concat('/openapi.json'))
  expect(await ceremony(page, 'get', begun.body?.['options'])).toBe('SecurityError')
  await page.context().close()
})

test('a page of another origin neither ends, replaces nor reads the session of this one', async () => {
  const page = await signedIn('lou')
  const before = await page.context().cookies()
  const elsewhere = await page.context().newPage()
  await elsewhere.goto(origin.replace('localhost', '127.0.0.1').concat('/openapi.json'))
  const answers = await elsewhere.evaluate(
    async ({ to, credentials }) => {
      const send = (path: string, init: RequestInit) =>
        fetch(to + path, { method: 'POST', credentials: 'include', ...init }).then(
          ({ type }) => type,
          () => 'refused',
        )
      const login = JSON.stringify(credentials)
      return [
        await send('/api/auth/logout', { mode: 'no-cors' }),
        await send('/api/sessions/revoke', { mode: 'no-cors', body: '{"which":"all"}' }),
        // A body without a type needs nobody's leave.
        await send('/api/auth/login', { mode: 'no-cors', body: new Blob([login]) }),
        await send('/api/auth/login', { headers: { 'content-type': 'application/json' }, body: login }),
        await send('/api/auth/verify', { method: 'GET' }),
      ]
    },
    { to: origin, credentials: { login: 'ada', password, cookie: true } },
  )
  expect(answers).toEqual(['opaque', 'opaque', 'opaque', 'refused', 'refused'])
  expect(await whoAmI(page)).toMatchObject({ username: 'lou' })
  expect(await page.context().cookies()).toEqual(before)
  // Nor by a form, which a browser sends as a navigation.
  await elsewhere.evaluate(`{
    const form = Object.assign(document.createElement('form'), { method: 'post', enctype: 'text/plain' })
    form.action = ${JSON.stringify(`${origin}/api/auth/logout`)}
    document.documentElement.append(form)
    form.submit()
  }`)
  await elsewhere.waitForURL(`${origin}/api/auth/logout`)
  expect(await whoAmI(page)).toMatchObject({ username: 'lou' })
  await page.context().close()
})
