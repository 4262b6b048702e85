/** A node as it is started: mails by what the environment says, over STARTTLS and with a password, and no secret in its log. */
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PASSWORD } from '../accounts/granted.ts'
import { type Certificate, createCertificate } from '../support/certificate.ts'
import { runCli, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { NEW_PASSWORD, tokenIn } from '../support/delivery-stage.ts'
import { type MailServer, startMailServer } from '../support/mail-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const token = 'a-token-of-the-tests'
let database: TestDatabase
let certificate: Certificate
let mail: MailServer
let home: string
beforeAll(async () => {
  ;[database, certificate] = await Promise.all([createTestDatabase(), createCertificate()])
  home = await temporaryFolder('mails')
  mail = await startMailServer({
    key: certificate.key,
    cert: certificate.cert,
    authOptional: false,
    onAuth: ({ username, password }, _session, callback) =>
      password === 'p@ss-word-of-smtp' ? callback(null, { user: username }) : callback(new Error('wrong')),
  })
})
afterAll(async () => {
  await mail.close()
  await Promise.all([database.drop(), certificate.remove(), rm(home, { recursive: true })])
})

test('an account is registered, verified and recovered', async () => {
  const env = {
    DATABASE_URL: database.url,
    ROOTSTREAM_HOME: home,
    ROOTSTREAM_HTTP_PORT: '0',
    ROOTSTREAM_TOKEN: token,
    SMTP_URL: `smtp://ops:p%40ss-word-of-smtp@localhost:${mail.port}`,
    ROOTSTREAM_SMTP_CA: certificate.file,
    ROOTSTREAM_MAIL_FROM: 'RootStream <ops@example.org>',
    ROOTSTREAM_PUBLIC_URL: 'https://stream.example.org/',
    LOG_LEVEL: 'debug',
  }
  const node = await startNodeProcess(env)
  const post = (path: string, body: object) =>
    fetch(node.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const email = 'ada@example.org'
  const user = { type: 'user.registered', username: 'ada', email, passwordHash: 'x' }
  expect((await post('/v1/actors/user', user)).status).toBe(201)
  const verification = await mail.mailTo(email, 'Verify')
  expect(verification).toMatchObject({ secure: true, user: 'ops' })
  expect(verification.body).toContain('https://stream.example.org/verify-email#token=')
  expect((await post('/api/auth/email/verify', { token: tokenIn(verification.body) })).status).toBe(204)

  expect((await post('/api/auth/recover', { login: 'ada' })).status).toBe(202)
  const recovery = tokenIn((await mail.mailTo(email, 'Recover')).body)
  expect((await post('/api/auth/recover/complete', { token: recovery, password: NEW_PASSWORD })).status).toBe(204)
  expect((await post('/api/auth/login', { login: 'ada', password: PASSWORD })).status).toBe(401)
  expect((await post('/api/auth/login', { login: 'ada', password: NEW_PASSWORD })).status).toBe(200)
  await mail.mailTo(email, 'password was changed')

  expect(await node.stop()).toBe(0)
  const { stderr } = await node.ended
  expect(stderr).toContain('a message was sent')
  for (const secret of [tokenIn(verification.body), recovery, NEW_PASSWORD, 'p@ss-word-of-smtp', 'p%40ss', email])
    expect(stderr.includes(secret), secret).toBe(false)

  // From the command line too, where the process ends right after it.
  const sent = await runCli(['actors', 'send', 'user/1', 'user.updated', '{"email":"ada@example.com"}'], env)
  expect(sent, sent.stderr).toMatchObject({ code: 0 })
  await mail.mailTo(email, 'address was changed')
  await mail.mailTo('ada@example.com', 'Verify')
})
