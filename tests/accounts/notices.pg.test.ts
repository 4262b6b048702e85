/** What owners are told by mail, whoever did it and by whichever way. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'
import { Authenticator } from '../support/authenticator.ts'
import { type DeliveryStage, startDeliveryStage, tokenIn } from '../support/delivery-stage.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { granted, PASSWORD } from './granted.ts'

let stage: DeliveryStage
beforeAll(async () => {
  stage = await startDeliveryStage({ requireVerifiedEmail: true, issuer: 'Harbour\r\nBcc: eve@example.org' })
})
afterAll(() => stage.close())

async function verified(username: string) {
  const { node } = stage
  const email = `${username}@example.org`
  const { userId } = granted(await node.accounts.register({ username, email, password: PASSWORD }))
  const login = (device?: string) =>
    node.accounts.login(
      { login: username, password: PASSWORD },
      { ipAddress: '192.0.2.5', ...(device === undefined ? {} : { deviceId: device }) },
    )
  const mail = await stage.mail.mailTo(email)
  return { userId, email, login, mail }
}

/** Subjects of all that the user was sent, in order, when as many have come. */
async function subjectsTo(email: string, count: number): Promise<readonly (string | undefined)[]> {
  const mails = () => stage.mail.mails.filter(({ to }) => to.includes(email))
  await eventually(() => expect(mails().length).toBeGreaterThanOrEqual(count))
  return mails().map(({ headers }) => headers.get('subject')?.replace('Harbour Bcc: eve@example.org: ', ''))
}

test('a login waits for the address to be verified, where that is wanted', async () => {
  const { login, mail } = await verified('ada')
  expect(await login()).toMatchObject({ ok: false, reason: 'email_unverified' })
  expect(mail.body).toContain('https://stream.example.org/verify-email#token=rst_')
  granted(await stage.other.accounts.verifyEmail(tokenIn(mail.body)))
  granted(await login())
})

test('no mail has a header of its sender’s name, or a word of the user’s', async () => {
  const { mail, email } = await verified('bob')
  expect(mail.to).toEqual([email])
  expect(mail.headers.has('bcc')).toBe(false)
  expect(mail.headers.get('subject')).toBe('Harbour Bcc: eve@example.org: Verify your address')
  expect(mail.body).not.toContain('bob')
})

test('a device that is new is told of, and neither the first one nor one that was seen', async () => {
  const { login, mail, email } = await verified('cleo')
  granted(await stage.node.accounts.verifyEmail(tokenIn(mail.body)))
  for (const device of ['one', 'one', 'two', 'one', 'two', undefined]) granted(await login(device))
  granted(await login('three'))
  const subjects = await subjectsTo(email, 3)
  expect(subjects).toEqual(['Verify your address', 'A new device signed in', 'A new device signed in'])
  expect(stage.mail.mails.findLast(({ to }) => to.includes(email))?.body).toContain('192.0.2.5')
})

test('each change of what one signs in with is told once, though two nodes hear of it', async () => {
  const { node, other } = stage
  const { userId, login, mail, email } = await verified('dora')
  granted(await node.accounts.verifyEmail(tokenIn(mail.body)))
  const session = granted(await login())
  const { token } = await stage.withTotp(session.token)
  const { backupCodes } = granted(await node.accounts.replaceBackupCodes(token))
  const pending = granted(await login())
  granted(await other.accounts.verifyFactor(pending.token, { method: 'backup_codes', code: backupCodes[0] ?? '' }))
  await subjectsTo(email, 3)
  await other.accounts.resetFactors(userId)
  await subjectsTo(email, 4)
  await other.actor('user', userId).send({ type: 'user.password.changed', passwordHash: 'x' })
  await subjectsTo(email, 5)
  await other.actor('user', userId).send({ type: 'user.password.rehashed', passwordHash: 'y' })
  await node.actor('user', userId).send({ type: 'user.updated', email: 'dora@example.com' })
  expect(await subjectsTo(email, 6)).toEqual([
    'Verify your address',
    'A second factor was added',
    'A recovery code was used',
    'A second factor was removed',
    'Your password was changed',
    'Your address was changed',
  ])
  expect(await subjectsTo('dora@example.com', 1)).toEqual(['Verify your address'])
  const bodies = stage.mail.mails.filter(({ to }) => to.includes(email)).map(({ body }) => body)
  expect(bodies[1]).toContain('an authenticator app.')
  expect(bodies[2]).toContain('Codes left: 9.')
})

test('a passkey that signs as a copy would is told of', async () => {
  const { node } = stage
  const { email, login, mail } = await verified('kim')
  granted(await node.accounts.verifyEmail(tokenIn(mail.body)))
  const { token } = granted(await login())
  const device = new Authenticator('https://stream.example.org')
  const { options } = granted(await node.accounts.passkeys.registrationOptions(token))
  granted(await node.accounts.passkeys.register(token, { attestation: device.create(options), label: 'laptop' }))
  const begun = granted(await node.accounts.passkeys.loginOptions())
  expect(await node.accounts.passkeys.login(device.get(begun.options, { counter: 1 }))).toMatchObject({ ok: false })
  expect(await subjectsTo(email, 3)).toContain('A passkey may have been copied')
})

test('a node without a mail server tells nobody, and refuses what needs one', async () => {
  const { database } = stage
  const log = createRecordingLog()
  const silent = await createNode({ database: database.url, keys: TEST_KEYS, log, name: 'silent' })
  try {
    const { accounts } = silent
    granted(await accounts.register({ username: 'erna', email: 'erna@example.org', password: PASSWORD }))
    const { token } = granted(await accounts.login({ login: 'erna', password: PASSWORD }))
    const refusal = { ok: false, reason: 'not_offered' }
    expect(await accounts.askRecovery('erna')).toMatchObject(refusal)
    expect(await accounts.askVerification('nobody')).toMatchObject(refusal)
    for (const method of ['email', 'sms'] as const)
      expect(await accounts.enrolAddress(token, { method, address: 'erna@example.org' })).toMatchObject(refusal)
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([])
  } finally {
    await silent.close()
  }
})
