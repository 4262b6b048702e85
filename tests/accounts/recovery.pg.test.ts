/** Addresses verified and accounts recovered by mail, on two nodes and a real mail server. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type DeliveryStage, NEW_PASSWORD, startDeliveryStage, tokenIn } from '../support/delivery-stage.ts'
import { eventually } from '../sync/eventually.ts'
import { granted, PASSWORD } from './granted.ts'

let stage: DeliveryStage
beforeAll(async () => {
  stage = await startDeliveryStage()
})
afterAll(() => stage.close())

const HOUR_MS = 3_600_000
const VOID = { ok: false, reason: 'invalid_ticket' }

const mailAbout = async (email: string, subject: string) => (await stage.mail.mailTo(email, subject)).body

async function recoveryOf(email: string): Promise<string> {
  granted(await stage.node.accounts.askRecovery(email))
  return tokenIn(await mailAbout(email, 'Recover'))
}

describe('an address', () => {
  test('is verified by what was sent there, once over both nodes', async () => {
    const { node, other } = stage
    const { userId, verification } = await stage.registered('ada')
    const view = await node.actor('user', userId).state()
    expect(view.context['row']).toMatchObject({ is_verified: false })
    const both = await Promise.all([node, other].flatMap(at => [1, 2].map(() => at.accounts.verifyEmail(verification))))
    expect(both.filter(({ ok }) => ok)).toEqual([{ ok: true, userId }])
    expect((await other.actor('user', userId).state()).context['row']).toMatchObject({ is_verified: true })
  })

  test('that was changed is to be verified anew, and what was sent to the old one is void', async () => {
    const { node } = stage
    const { userId, email, verification } = await stage.registered('bob')
    await node.actor('user', userId).send({ type: 'user.updated', email: 'robert@example.org' })
    expect(await node.accounts.verifyEmail(verification)).toMatchObject(VOID)
    const token = tokenIn(await mailAbout('robert@example.org', 'Verify'))
    expect(await mailAbout(email, 'address was changed')).not.toContain('robert')
    expect(await node.accounts.verifyEmail(token)).toEqual({ ok: true, userId })
    await node.actor('user', userId).send({ type: 'user.updated', email: 'bobby@example.org' })
    expect((await node.actor('user', userId).state()).context['row']).toMatchObject({ is_verified: false })
  })

  test('is verified by no token that is over, garbage, of another purpose or of a deactivated user', async () => {
    const { node } = stage
    const { userId, email, verification } = await stage.registered('cleo')
    const recovery = await recoveryOf(email)
    const other = `${verification.slice(0, -2)}${verification.endsWith('AA') ? 'BE' : 'AA'}`
    for (const token of [recovery, other, `${verification}=`, `rst_999999_${verification.split('_')[2]}`, '', 'x'])
      expect(await node.accounts.verifyEmail(token)).toMatchObject(VOID)
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    expect(await node.accounts.verifyEmail(verification)).toMatchObject(VOID)
    await node.actor('user', userId).send({ type: 'user.reactivated' })
    stage.pass(25 * HOUR_MS)
    expect(await node.accounts.verifyEmail(verification)).toMatchObject(VOID)
  })

  test('gets another mail when its owner asks, within a budget that is not told', async () => {
    const { node } = stage
    const { email } = await stage.registered('dora')
    const before = stage.mail.mails.length
    for (let times = 0; times < 7; times++)
      expect(await node.accounts.askVerification('dora', { ipAddress: '192.0.2.1' })).toEqual({ ok: true })
    await eventually(() =>
      expect(stage.log.lines.filter(({ message }) => message.includes('too many of its kind'))).toHaveLength(3),
    )
    tokenIn(await mailAbout(email, 'Verify'))
    expect(stage.mail.mails.length - before).toBeLessThanOrEqual(4)
  })
})

describe('recovery', () => {
  test('sets a password and ends all sessions, on both nodes, and opens none', async () => {
    const { node, other } = stage
    const { userId, token: session, email } = await stage.registered('erna')
    const token = await recoveryOf(email)
    expect(await other.accounts.completeRecovery({ token, password: NEW_PASSWORD })).toEqual({ ok: true })
    await mailAbout(email, 'password was changed')
    for (const at of [node, other])
      await eventually(async () =>
        expect(await at.accounts.validate(session)).toMatchObject({ ok: false, reason: 'invalid_session' }),
      )
    expect(await node.accounts.login({ login: 'erna', password: PASSWORD })).toMatchObject({ ok: false })
    granted(await node.accounts.login({ login: 'erna', password: NEW_PASSWORD }))
    expect((await node.actor('user', userId).state()).context['row']).toMatchObject({ is_verified: true })
  })

  test('takes one of twenty shows of a ticket on two nodes', async () => {
    const { node, other } = stage
    const { userId, email } = await stage.registered('fay')
    const token = await recoveryOf(email)
    const shows = Array.from({ length: 20 }, (_, i) =>
      (i % 2 === 0 ? node : other).accounts.completeRecovery({ token, password: `${NEW_PASSWORD} ${i}` }),
    )
    const answers = await Promise.all(shows)
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    const won = answers.findIndex(({ ok }) => ok)
    granted(await node.accounts.login({ login: 'fay', password: `${NEW_PASSWORD} ${won}` }))
    expect((await node.actor('user', userId).state()).context['authEpoch']).toBe(1)
  })

  test('of two tickets takes the one that is shown first, however close', async () => {
    const { node, other } = stage
    const { userId, email } = await stage.registered('gus')
    const tokens = [await recoveryOf(email), await recoveryOf(email)]
    const answers = await Promise.all(
      tokens.map((token, i) => (i === 0 ? node : other).accounts.completeRecovery({ token, password: NEW_PASSWORD })),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    expect((await node.actor('user', userId).state()).context['authEpoch']).toBe(1)
  })

  test('is void after an hour, after a change of password or address, and of who is out of use', async () => {
    const { node } = stage
    const { userId, email } = await stage.registered('hal')
    const complete = (token: string) => node.accounts.completeRecovery({ token, password: NEW_PASSWORD })
    const user = node.actor('user', userId)
    const changed = await recoveryOf(email)
    await user.send({ type: 'user.password.changed', passwordHash: 'x' })
    expect(await complete(changed)).toMatchObject(VOID)
    const moved = await recoveryOf(email)
    await user.send({ type: 'user.updated', email: 'harold@example.org' })
    expect(await complete(moved)).toMatchObject(VOID)
    const late = await recoveryOf('harold@example.org')
    stage.pass(HOUR_MS + 1)
    expect(await complete(late)).toMatchObject(VOID)
    const out = await recoveryOf('harold@example.org')
    await user.send({ type: 'user.deactivated' })
    expect(await complete(out)).toMatchObject(VOID)
  })

  test('refuses a bad password without using the ticket up', async () => {
    const { node } = stage
    const { email } = await stage.registered('ida')
    const token = await recoveryOf(email)
    expect(await node.accounts.completeRecovery({ token, password: 'short' })).toMatchObject({
      reason: 'unusable_password',
    })
    granted(await node.accounts.completeRecovery({ token, password: NEW_PASSWORD }))
  })

  test('leaves the factors as they are (ASVS 6.4.3)', async () => {
    const { node } = stage
    const { token: session, email } = await stage.registered('jan')
    const { code } = await stage.withTotp(session)
    granted(await node.accounts.completeRecovery({ token: await recoveryOf(email), password: NEW_PASSWORD }))
    const login = granted(await node.accounts.login({ login: 'jan', password: NEW_PASSWORD }))
    expect(login).toMatchObject({ pending: true, factors: expect.arrayContaining(['totp']) })
    expect(await node.accounts.validate(login.token)).toMatchObject({ ok: false })
    granted(await node.accounts.verifyFactor(login.token, { method: 'totp', code: code() }))
  })

  test('is answered alike for who exists and who does not, before anything is looked up', async () => {
    const { node } = stage
    const { userId, email } = await stage.registered('kim')
    await stage.registered('lea')
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    await mailed(stage)
    const before = stage.mail.mails.length
    const lookedUp = vi.spyOn(node.log, 'holderOf')
    for (const login of ['lea', 'nobody', email, "x' or 1=1 --", 'nobody@example.org']) {
      lookedUp.mockClear()
      expect(await node.accounts.askRecovery(login, { ipAddress: '192.0.2.9' })).toEqual({ ok: true })
      expect(lookedUp).not.toHaveBeenCalled()
      await eventually(() => expect(lookedUp).toHaveBeenCalledTimes(2))
    }
    lookedUp.mockRestore()
    await stage.mail.mailTo('lea@example.org', 'Recover')
    expect(stage.mail.mails.slice(before).map(({ to }) => to)).toEqual([['lea@example.org']])
  })

  test('is asked for twenty times in a quarter of an hour from one address', async () => {
    const { node } = stage
    const ask = () => node.accounts.askRecovery('nobody', { ipAddress: '192.0.2.77' })
    for (let times = 0; times < 20; times++) expect(await ask()).toEqual({ ok: true })
    expect(await ask()).toMatchObject({ ok: false, reason: 'too_many_attempts' })
  })

  test('is asked for no more often from the many addresses that one line of IPv6 has', async () => {
    const { node } = stage
    const ask = (host: number) => node.accounts.askRecovery('nobody', { ipAddress: `2001:db8:7:7::${host}` })
    for (let times = 0; times < 20; times++) expect(await ask(times + 1)).toEqual({ ok: true })
    expect(await ask(99)).toMatchObject({ ok: false, reason: 'too_many_attempts' })
  })

  test('ends a lockout by strangers, under both names of the account', async () => {
    const { node, other } = stage
    const { email } = await stage.registered('max')
    const stranger = { ipAddress: '203.0.113.50' }
    for (const login of ['max', email])
      for (let n = 0; n < 6; n++) await node.accounts.login({ login, password: `guess number ${n} of many` }, stranger)
    expect(await node.accounts.login({ login: 'max', password: PASSWORD })).toMatchObject({
      reason: 'too_many_attempts',
    })
    granted(await node.accounts.completeRecovery({ token: await recoveryOf(email), password: NEW_PASSWORD }))
    for (const login of ['max', email]) granted(await node.accounts.login({ login, password: NEW_PASSWORD }))
    granted(await other.accounts.login({ login: 'max', password: NEW_PASSWORD }))
  })
})

/** When all that was sent so far has come. */
async function mailed({ log, mail }: DeliveryStage): Promise<void> {
  await eventually(() =>
    expect(log.lines.filter(({ message }) => message === 'a message was sent').length).toBe(mail.mails.length),
  )
}
