/** Codes by mail and text message as second factors, on two nodes, a real mail server and a real gateway. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AddressMethod } from '../../src/accounts/sent-codes.ts'
import { codeIn, type DeliveryStage, startDeliveryStage } from '../support/delivery-stage.ts'
import { eventually } from '../sync/eventually.ts'
import { granted, PASSWORD } from './granted.ts'

let stage: DeliveryStage
beforeAll(async () => {
  stage = await startDeliveryStage()
})
afterAll(() => stage.close())

const MINUTE_MS = 60_000
const WRONG = { ok: false, reason: 'invalid_code' }
const number = '+491701234567'

const codeByMail = async (email: string) => codeIn((await stage.mail.mailTo(email, 'Your code')).body)

/** A user with codes by mail, who has shown the password again and been sent a code. */
async function waiting(username: string) {
  const { node } = stage
  const user = await stage.registered(username)
  granted(await node.accounts.enrolAddress(user.token, { method: 'email' }))
  const confirmed = granted(
    await node.accounts.confirmAddress(user.token, { method: 'email', code: await codeByMail(user.email) }),
  )
  const pending = granted(await node.accounts.login({ login: username, password: PASSWORD }))
  expect(pending).toMatchObject({ pending: true, factors: expect.arrayContaining(['email']) })
  granted(await node.accounts.sendCode(pending.token, 'email'))
  return { ...user, open: confirmed.token, pending: pending.token, code: await codeByMail(user.email) }
}

const show = (token: string, code: string, method: AddressMethod = 'email', at = stage.node) =>
  at.accounts.verifyFactor(token, { method, code })
/** A code that is not this one. */
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

describe('enrolment', () => {
  test('is nothing before its first code was shown; then the token is new and the other sessions are over', async () => {
    const { node } = stage
    const { token, userId } = await stage.registered('ada')
    const elsewhere = granted(await node.accounts.login({ login: 'ada', password: PASSWORD }))
    const sent = granted(await node.accounts.enrolAddress(token, { method: 'email', address: 'second@example.org' }))
    expect(sent).toEqual({ ok: true, to: 's…@example.org', expiresAt: expect.any(String) })
    expect(granted(await node.accounts.login({ login: 'ada', password: PASSWORD }))).not.toHaveProperty('pending')
    const code = await codeByMail('second@example.org')
    expect(await node.accounts.confirmAddress(token, { method: 'email', code: wrong(code) })).toMatchObject(WRONG)
    const confirmed = granted(await node.accounts.confirmAddress(token, { method: 'email', code }))
    expect(confirmed.backupCodes).toHaveLength(10)
    expect(await node.accounts.validate(confirmed.token)).toMatchObject({ ok: true, methods: ['password', 'email'] })
    for (const old of [token, elsewhere.token]) expect(await node.accounts.validate(old)).toMatchObject({ ok: false })
    expect(await node.accounts.enrolAddress(confirmed.token, { method: 'email' })).toMatchObject({
      reason: 'factor_exists',
    })
    expect(await node.accounts.factors(userId)).toContainEqual(
      expect.objectContaining({ method: 'email', enabled: true }),
    )
  })

  test('is begun anew after a slip in the address, and the code that went astray is void', async () => {
    const { node } = stage
    const { token, email } = await stage.registered('bob')
    granted(await node.accounts.enrolAddress(token, { method: 'email', address: 'astray@example.org' }))
    const astray = await codeByMail('astray@example.org')
    granted(await node.accounts.enrolAddress(token, { method: 'email' }))
    const code = await codeByMail(email)
    if (astray !== code)
      expect(await node.accounts.confirmAddress(token, { method: 'email', code: astray })).toMatchObject(WRONG)
    granted(await node.accounts.confirmAddress(token, { method: 'email', code }))
  })

  test('of text messages needs a stronger factor beside it (ASVS 6.6.1)', async () => {
    const { node, gateway } = stage
    const { token } = await stage.registered('cleo')
    const enrol = (session: string) => node.accounts.enrolAddress(session, { method: 'sms', address: number })
    expect(await enrol(token)).toMatchObject({ reason: 'not_offered' })
    const app = await stage.withTotp(token)
    expect(granted(await enrol(app.token)).to).toBe('+49…67')
    const [message] = await gateway.received(1)
    expect(message?.message.to).toBe(number)
    const confirmed = granted(
      await node.accounts.confirmAddress(app.token, { method: 'sms', code: codeIn(message?.message.text ?? '') }),
    )
    expect(await node.accounts.validate(confirmed.token)).toMatchObject({ methods: ['password', 'totp', 'sms'] })
    const pending = granted(await node.accounts.login({ login: 'cleo', password: PASSWORD }))
    granted(await node.accounts.sendCode(pending.token, 'sms'))
    const texts = await gateway.received(2)
    const shown = granted(await show(pending.token, codeIn(texts[1]?.message.text ?? ''), 'sms'))

    const remove = (method: 'totp' | 'sms') => node.accounts.removeFactor(shown.token, method)
    expect(await remove('totp')).toMatchObject({ reason: 'not_offered' })
    const login = granted(await node.accounts.login({ login: 'cleo', password: PASSWORD }))
    expect(login).toMatchObject({ pending: true, factors: expect.arrayContaining(['totp', 'sms']) })
    expect(await remove('sms')).toEqual({ ok: true, removed: true })
    expect(await remove('totp')).toEqual({ ok: true, removed: true })
  })

  test('asks for a factor that was shown a moment ago, and for no address that is none', async () => {
    const { node } = stage
    const { token, open } = { ...(await waiting('dora')) }
    expect(await node.accounts.validate(token)).toMatchObject({ ok: false })
    for (const address of ['a@b\r\nBcc: eve@example.org', 'a@b, c@d', 'x', number])
      await expect(node.accounts.enrolAddress(open, { method: 'email', address })).rejects.toMatchObject({
        code: 'invalid_input',
        message: expect.not.stringContaining(address),
      })
    stage.pass(6 * MINUTE_MS)
    expect(await node.accounts.enrolAddress(open, { method: 'sms', address: number })).toMatchObject({
      reason: 'factor_required',
    })
  })
})

describe('a code', () => {
  test('completes a login once, on whichever node, and twenty shows at once are one', async () => {
    const { node, other } = stage
    const { pending, code, userId } = await waiting('erna')
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => show(pending, code, 'email', i % 2 === 0 ? node : other)),
    )
    const opened = answers.filter(answer => answer.ok)
    expect(opened).toHaveLength(1)
    const { token } = granted(opened[0] ?? expect.unreachable('none'))
    await eventually(async () => expect(await other.accounts.validate(token)).toMatchObject({ ok: true, userId }))
    for (const at of [node, other]) expect(await show(token, code, 'email', at)).toMatchObject({ ok: false })
  })

  test('of twenty shows of the factor itself takes one', async () => {
    const { node, other } = stage
    const { code, userId } = await waiting('fay')
    const id = (await node.log.holderOf({ kind: 'factor', key: `${userId}/email` }))?.id ?? 0
    const { sentCode } = (await node.actor('factor', id).state()).context as unknown as {
      sentCode: { codeHash: string }
    }
    const used = { type: 'factor.code.used', codeHash: sentCode.codeHash }
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? node : other).actor('factor', id).send(used)),
    )
    expect(results.filter(({ ok }) => ok)).toHaveLength(1)
    expect(sentCode.codeHash).not.toContain(code)
  })

  test('of another user is none', async () => {
    const [gus, hal] = [await waiting('gus'), await waiting('hal')]
    if (gus.code !== hal.code) expect(await show(hal.pending, gus.code)).toMatchObject(WRONG)
    granted(await show(hal.pending, hal.code))
    granted(await show(gus.pending, gus.code))
  })

  test('is void after ten minutes', async () => {
    const { pending, open, code } = await waiting('ida')
    stage.pass(9 * MINUTE_MS)
    expect(await show(pending, wrong(code))).toMatchObject(WRONG)
    stage.pass(MINUTE_MS + 1)
    expect(await show(open, code)).toMatchObject(WRONG)
  })

  test('is void after five misses, and by a newer one', async () => {
    const { node } = stage
    const { pending, code, email } = await waiting('jan')
    for (let miss = 0; miss < 5; miss++) expect(await show(pending, wrong(code))).toMatchObject(WRONG)
    expect(await show(pending, code)).toMatchObject(WRONG)
    granted(await node.accounts.sendCode(pending, 'email'))
    const [second] = [await codeByMail(email)]
    granted(await node.accounts.sendCode(pending, 'email'))
    const third = await codeByMail(email)
    if (second !== third) expect(await show(pending, second)).toMatchObject(WRONG)
    granted(await show(pending, third))
  })

  test('is ASCII digits, and what is none costs no miss', async () => {
    const { pending, code } = await waiting('kim')
    const fullWidth = [...code].map(digit => String.fromCodePoint(digit.charCodeAt(0) + 0xfee0)).join('')
    for (const typed of [fullWidth, '', ' ', 'abcdef', `${code}0`.repeat(9), `${code}\0`, '-12345', '1e5'])
      expect(await show(pending, typed)).toMatchObject(WRONG)
    granted(await show(pending, `${code.slice(0, 3)} ${code.slice(3)}`))
  })

  test('is one of ten guesses in a quarter of an hour, over all codes and methods', async () => {
    const { node } = stage
    const { pending, code, email } = await waiting('lea')
    for (let guess = 0; guess < 5; guess++) expect(await show(pending, wrong(code))).toMatchObject(WRONG)
    granted(await node.accounts.sendCode(pending, 'email'))
    const second = await codeByMail(email)
    for (let guess = 0; guess < 4; guess++) expect(await show(pending, wrong(second))).toMatchObject(WRONG)
    expect(await node.accounts.verifyFactor(pending, { method: 'backup_codes', code: 'x' })).toMatchObject(WRONG)
    expect(await show(pending, second)).toMatchObject({ reason: 'too_many_attempts' })
  })

  test('is sent five times in a quarter of an hour', async () => {
    const { node } = stage
    const { pending } = await waiting('max')
    const answers = []
    for (let times = 0; times < 4; times++) answers.push(await node.accounts.sendCode(pending, 'email'))
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, false])
    expect(answers[3]).toMatchObject({ reason: 'too_many_attempts', retryAfterMs: expect.any(Number) })
  })

  test('is sent behind the answer: a mail server that hangs holds none', async () => {
    const { node } = stage
    const { open, email } = await waiting('olaf')
    const hanging = Promise.withResolvers<void>()
    stage.mail.before = () => hanging.promise
    const before = stage.mail.mails.length
    granted(await node.accounts.sendCode(open, 'email'))
    granted(await node.accounts.askRecovery('olaf', { ipAddress: '192.0.2.44' }))
    expect(stage.mail.mails).toHaveLength(before)
    stage.mail.before = () => undefined
    hanging.resolve()
    granted(await show(open, await codeByMail(email)))
    await stage.mail.mailTo(email, 'Recover')
  })

  test('is in the log before it is sent', async () => {
    const { node } = stage
    const { open, userId, email } = await waiting('ned')
    const id = (await node.log.holderOf({ kind: 'factor', key: `${userId}/email` }))?.id ?? 0
    let logged: unknown
    stage.mail.before = async () => {
      const { context } = await stage.other.actor('factor', id).state()
      logged = context['sentCode']
    }
    granted(await node.accounts.sendCode(open, 'email'))
    const code = await codeByMail(email)
    stage.mail.before = () => undefined
    expect(logged).toMatchObject({ misses: 0, codeHash: expect.any(String) })
    granted(await show(open, code))
  })
})

test('nothing is sent to a factor that is not there, nor by what is not configured', async () => {
  const { node } = stage
  const { token } = await stage.registered('olga')
  for (const method of ['email', 'sms'] as const)
    expect(await node.accounts.sendCode(token, method)).toMatchObject({ reason: 'not_offered' })
  expect(await node.accounts.sendCode('rss_1_x', 'email')).toMatchObject({ reason: 'invalid_session' })
})
