/** Over HTTP: addresses verified, accounts recovered, codes by mail shown. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { granted, PASSWORD } from '../accounts/granted.ts'
import { codeIn, NEW_PASSWORD } from '../support/delivery-stage.ts'
import type { Answer } from '../support/http-client.ts'
import { type MailServer, startMailServer } from '../support/mail-server.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'
import { TEST_KEYS } from '../support/test-keys.ts'

let runtime: TestRuntime
let mail: MailServer
beforeAll(async () => {
  mail = await startMailServer()
  runtime = await startRuntime({ keys: TEST_KEYS, mail: { url: mail.url, from: 'ops@example.org' } })
})
afterAll(async () => {
  await runtime.stop()
  await mail.close()
})

function post(path: string, body: object, token = ''): Promise<Answer> {
  const authorization = token === '' ? '' : `Bearer ${token}`
  return runtime.client.request('POST', path, { body, headers: { authorization } })
}

/** A line of its own. */
function tokenOf(text: string): string {
  return /^rst_\S+$/m.exec(text)?.[0] ?? expect.unreachable(text)
}

async function registered(username: string) {
  const email = `${username}@example.org`
  granted(await runtime.node.accounts.register({ username, email, password: PASSWORD }))
  return { email, verification: (await mail.mailTo(email)).body }
}

async function signIn(login: string, password = PASSWORD) {
  const { status, body } = await post('/api/auth/login', { login, password })
  expect(status).toBe(200)
  return body as { token: string; pending?: true }
}

test('an address is verified once, and without a public address the mail carries the token alone', async () => {
  const { verification } = await registered('ada')
  expect(verification).not.toContain('http')
  const token = tokenOf(verification)
  expect(await post('/api/auth/email/verify', { token })).toMatchObject({ status: 204, body: null })
  expect(await post('/api/auth/email/verify', { token })).toMatchObject({
    status: 422,
    body: { code: 'invalid_ticket', retryable: false },
  })
})

test('an address is changed by its owner alone, is told at the old one and verified at the new one', async () => {
  await registered('erna')
  const { email } = await registered('fay')
  const { token } = await signIn('fay')
  const change = (body: object, as = token) => post('/api/auth/email', body, as)
  expect(await change({ email: 'fay@example.com' }, 'rss_1_x')).toMatchObject({ status: 401 })
  expect(await change({ email: 'erna@example.org' })).toMatchObject({ status: 409, body: { code: 'taken' } })
  for (const wrong of ['fay@example', "fay@example.com'--", 'fay@example.com\r\nBcc: eve@example.org'])
    expect(await change({ email: wrong })).toMatchObject({ status: 422, body: { code: 'invalid_event' } })
  expect(await change({ email: 'fay@example.com' })).toMatchObject({ status: 204 })
  expect((await mail.mailTo(email, 'address was changed')).body).not.toContain('example.com')
  const verification = tokenOf((await mail.mailTo('fay@example.com', 'Verify')).body)
  expect(await post('/api/auth/email/verify', { token: verification })).toMatchObject({ status: 204 })
  await signIn('fay@example.com')
})

test('whoever asks to recover an account is answered the same, byte for byte, whether there is one', async () => {
  await registered('bob')
  const shown = async (path: string, login: string) => {
    const { status, headers, body } = await post(path, { login })
    const { date: _, ...rest } = headers
    return { status, headers: rest, body }
  }
  for (const path of ['/api/auth/recover', '/api/auth/email/send']) {
    const [there, nobody] = [await shown(path, 'bob'), await shown(path, 'nobody')]
    expect(there).toMatchObject({ status: 202, body: null })
    expect(nobody).toEqual(there)
  }
})

test('a recovery ends the sessions, sets the password and leaves the factor to be shown', async () => {
  const { email } = await registered('cleo')
  const { token } = await signIn('cleo')
  expect(await post('/api/auth/mfa/email/enrol', {}, token)).toMatchObject({
    status: 200,
    body: { to: 'c…@example.org' },
  })
  const first = codeIn((await mail.mailTo(email, 'Your code')).body)
  const confirmed = await post('/api/auth/mfa/email/confirm', { code: first }, token)
  expect(confirmed).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
  const session = (confirmed.body as { token: string }).token

  await post('/api/auth/recover', { login: email })
  const recovery = tokenOf((await mail.mailTo(email, 'Recover')).body)
  const complete = (password: string) => post('/api/auth/recover/complete', { token: recovery, password })
  expect(await complete('short')).toMatchObject({ status: 422, body: { code: 'unusable_password' } })
  expect(await complete(NEW_PASSWORD)).toMatchObject({ status: 204 })
  expect(await complete(NEW_PASSWORD)).toMatchObject({ status: 422, body: { code: 'invalid_ticket' } })
  const headers = { authorization: `Bearer ${session}` }
  expect(await runtime.client.request('GET', '/api/auth/verify', { headers })).toMatchObject({ status: 401 })

  const pending = await signIn('cleo', NEW_PASSWORD)
  expect(pending.pending).toBe(true)
  expect(await post('/api/auth/mfa/send', { method: 'email' }, pending.token)).toMatchObject({ status: 200 })
  const code = codeIn((await mail.mailTo(email, 'Your code')).body)
  expect(await post('/api/auth/mfa/verify', { method: 'email', code }, pending.token)).toMatchObject({ status: 200 })
})

test('an address is a plain one, and the answer repeats nothing of another', async () => {
  await registered('dora')
  const { token } = await signIn('dora')
  const address = 'x@y.example\r\nBcc: eve@example.org'
  const answer = await post('/api/auth/mfa/email/enrol', { address }, token)
  expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_input' } })
  expect(JSON.stringify(answer.body)).not.toContain('eve')
  expect(await post('/api/auth/mfa/sms/enrol', { address: '+491701234567' }, token)).toMatchObject({
    status: 409,
    body: { code: 'not_offered' },
  })
})
