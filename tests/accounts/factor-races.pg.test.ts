/** Factors of one user that are changed on two nodes at the same time: what holds of one change after the other holds of both at once. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Authenticator } from '../support/authenticator.ts'
import { codeIn, type DeliveryStage, startDeliveryStage } from '../support/delivery-stage.ts'
import { ORIGIN } from './accounts-nodes.ts'
import { codeOf, granted } from './granted.ts'

let stage: DeliveryStage
beforeAll(async () => {
  stage = await startDeliveryStage()
})
afterAll(() => stage.close())

const USERS = ['ada', 'bob', 'cleo', 'dora', 'emil', 'fay']

/** With an authenticator app and a passkey, both shown a moment ago. */
async function withTwoFactors(username: string) {
  const { node } = stage
  const { token, userId } = await stage.registered(username)
  const app = await stage.withTotp(token)
  const { options } = granted(await node.accounts.passkeys.registrationOptions(app.token))
  const attestation = new Authenticator(ORIGIN).create(options)
  const session = granted(await node.accounts.passkeys.register(app.token, { attestation, label: 'laptop' }))
  return { userId, token: session.token }
}

const removeBoth = (token: string) =>
  Promise.all([stage.node.accounts.removeFactor(token, 'totp'), stage.other.accounts.removeFactor(token, 'passkey')])

const methodsOf = async (userId: number) => (await stage.node.accounts.factors(userId)).map(({ method }) => method)

test('the last two factors removed at once take the backup codes with them', async () => {
  for (const name of USERS) {
    const { token, userId } = await withTwoFactors(name)
    await removeBoth(token)
    expect(await methodsOf(userId)).toEqual([])
  }
})

test('two stronger factors removed at once do not leave text messages alone', async () => {
  for (const name of USERS) {
    const { token, userId } = await withTwoFactors(`${name}-2`)
    const address = `+4915112345${String(userId).padStart(3, '0')}`
    const sent = stage.gateway.texts.length
    granted(await stage.node.accounts.enrolAddress(token, { method: 'sms', address }))
    const code = codeIn((await stage.gateway.received(sent + 1)).at(-1)?.message.text ?? '')
    const session = granted(await stage.node.accounts.confirmAddress(token, { method: 'sms', code }))
    const answers = await removeBoth(session.token)
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    expect(await methodsOf(userId)).toHaveLength(3)
  }
})

test('of two first factors confirmed at once only one answers with backup codes, and these are good', async () => {
  for (const name of USERS) {
    const { token, email } = await stage.registered(`${name}-3`)
    const { secret } = granted(await stage.node.accounts.enrolTotp(token))
    granted(await stage.node.accounts.enrolAddress(token, { method: 'email' }))
    const code = codeIn((await stage.mail.mailTo(email, 'code')).body)
    const answers = await Promise.all([
      stage.node.accounts.confirmTotp(token, codeOf(secret, stage.now())),
      stage.other.accounts.confirmAddress(token, { method: 'email', code }),
    ])
    const withCodes = answers.flatMap(answer => (answer.ok && answer.backupCodes ? [answer] : []))
    expect(withCodes).toHaveLength(1)
  }
})
