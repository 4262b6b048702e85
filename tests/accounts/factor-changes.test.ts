/** What happens in the middle of a change of factors: nothing is opened by one that goes, and nothing is left half done. */
import { describe, expect, test } from 'vitest'
import { ACCOUNT_DEFAULTS } from '../../src/accounts/settings.ts'
import { AppError } from '../../src/core/errors.ts'
import { granted, PASSWORD } from './granted.ts'
import { startInterruptedStage } from './interrupted-stage.ts'

const INVALID = { ok: false, reason: 'invalid_session' }

describe('a login whose code was taken a moment before', () => {
  test.each(['totp', 'backup_codes'] as const)('an administrator reset all factors opens nothing: %s', async method => {
    const { accounts, node, interrupt, enrolled, code } = await startInterruptedStage()
    const { userId, secret, backupCodes } = await enrolled('ada')
    const admin = await enrolled('root')
    await node.actor('user', admin.userId).send({ type: 'user.roles.changed', roles: ['admin'] })
    const login = granted(await accounts.login({ login: 'root', password: PASSWORD }))
    const { token } = granted(await accounts.verifyFactor(login.token, { method: 'totp', code: code(admin.secret) }))
    const waiting = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    interrupt('session.authenticated', async () => granted(await accounts.resetFactorsOf(token, userId)))
    const shown = method === 'totp' ? code(secret) : (backupCodes[0] ?? '')
    expect(await accounts.verifyFactor(waiting.token, { method, code: shown })).toMatchObject(INVALID)
    expect((await node.actor('session', waiting.sessionId).state()).state).toBe('revoked')
  })

  test('its owner removed that factor opens nothing', async () => {
    const { accounts, interrupt, enrolled, code } = await startInterruptedStage()
    const { token, secret } = await enrolled('ada')
    const waiting = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    interrupt('user.login.recorded', async () => granted(await accounts.removeFactor(token, 'totp')))
    expect(await accounts.verifyFactor(waiting.token, { method: 'totp', code: code(secret) })).toMatchObject(INVALID)
  })
})

test('a login that the limit of sessions refuses takes no code, and is completed by it once there is room', async () => {
  const viewer = { most: 1, policy: 'refuse' } as const
  const { accounts, enrolled } = await startInterruptedStage({
    sessionLimits: { ...ACCOUNT_DEFAULTS.sessionLimits, viewer },
  })
  const { token, userId, backupCodes } = await enrolled('ada')
  const waiting = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
  const shown = { method: 'backup_codes', code: backupCodes[0] ?? '' } as const
  expect(await accounts.verifyFactor(waiting.token, shown)).toMatchObject({ ok: false, reason: 'session_limit' })
  expect(await accounts.factors(userId)).toContainEqual(expect.objectContaining({ codesLeft: 10 }))
  await accounts.logout(token)
  granted(await accounts.verifyFactor(waiting.token, shown))
})

test('a reset while a first factor is confirmed leaves no backup codes to whoever confirmed it', async () => {
  const { accounts, interrupt, registered, code } = await startInterruptedStage()
  const { token, userId } = await registered('ada')
  const { secret } = granted(await accounts.enrolTotp(token))
  let reset: Promise<unknown> = Promise.resolve()
  // The one of the backup codes.
  interrupt('factor.enrolled', async () => {
    let isOver = false
    reset = accounts.resetFactors(userId).finally(() => {
      isOver = true
    })
    // It waits for its turn; one that did not would be over soon.
    for (let turns = 0; turns < 200 && !isOver; turns++) await new Promise(setImmediate)
  })
  await accounts.confirmTotp(token, code(secret))
  await reset
  expect(await accounts.factors(userId)).toEqual([])
})

describe('a session that a new password ends at that very moment', () => {
  const next = `${PASSWORD}, and another`

  test('gives the account no other address', async () => {
    const { accounts, node, interrupt, registered } = await startInterruptedStage()
    const { token, userId } = await registered('ada')
    interrupt('user.updated', async () => granted(await accounts.setPassword(userId, next)))
    expect(await accounts.changeEmail(token, { email: 'eve@example.org' })).toMatchObject(INVALID)
    expect((await node.actor('user', userId).state()).context['row']).toMatchObject({ email: 'ada@example.org' })
  })

  test('adds no factor', async () => {
    const { accounts, interrupt, registered, code } = await startInterruptedStage()
    const { token, userId } = await registered('ada')
    const { secret } = granted(await accounts.enrolTotp(token))
    interrupt('factor.confirmed', async () => granted(await accounts.setPassword(userId, next)))
    expect(await accounts.confirmTotp(token, code(secret))).toMatchObject(INVALID)
    expect(await accounts.factors(userId)).toEqual([])
    expect(granted(await accounts.login({ login: 'ada', password: next })).pending).toBeUndefined()
  })
})

describe('a change of factors that is broken off', () => {
  const away = () => Promise.reject(new AppError('log_unavailable', 'The log is away.'))

  test('leaves no other session open beside a factor that was added, and is made by the next try', async () => {
    const { accounts, interrupt, registered, code } = await startInterruptedStage()
    const thief = await registered('ada')
    const { token, userId } = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    const { secret } = granted(await accounts.enrolTotp(token))
    interrupt('user.sessions.ended', away)
    await expect(accounts.confirmTotp(token, code(secret))).rejects.toMatchObject({ code: 'log_unavailable' })
    expect(granted(await accounts.confirmTotp(token, code(secret))).backupCodes).toHaveLength(10)
    expect(await accounts.validate(thief.token)).toMatchObject(INVALID)
    expect((await accounts.factors(userId)).map(({ method }) => method)).toEqual(['totp', 'backup_codes'])
  })

  test('after the factor was added has ended the other sessions', async () => {
    const { accounts, interrupt, registered, code } = await startInterruptedStage()
    const thief = await registered('ada')
    const { token } = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    const { secret } = granted(await accounts.enrolTotp(token))
    interrupt('mfa.attempted', away)
    await expect(accounts.confirmTotp(token, code(secret))).rejects.toMatchObject({ code: 'log_unavailable' })
    expect(await accounts.validate(thief.token)).toMatchObject(INVALID)
  })

  test('leaves no other session open beside a factor that was removed, and is made by the next try', async () => {
    const { accounts, interrupt, enrolled, code } = await startInterruptedStage()
    const { token, secret } = await enrolled('ada')
    const waiting = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    const thief = granted(await accounts.verifyFactor(waiting.token, { method: 'totp', code: code(secret) }))
    interrupt('user.sessions.ended', away)
    await expect(accounts.removeFactor(token, 'totp')).rejects.toMatchObject({ code: 'log_unavailable' })
    expect(await accounts.removeFactor(token, 'totp')).toEqual({ ok: true, removed: true })
    expect(await accounts.validate(thief.token)).toMatchObject(INVALID)
    expect(await accounts.validate(token)).toMatchObject({ ok: true })
  })
})

test('an enrolment that was left lying is confirmed by nobody', async () => {
  const { accounts, clock, registered, code } = await startInterruptedStage()
  const { token } = await registered('ada')
  const { secret } = granted(await accounts.enrolTotp(token))
  clock.moveOn(11 * 60_000)
  expect(await accounts.enrolTotp(token)).toMatchObject({ ok: false, reason: 'factor_required' })
  expect(await accounts.confirmTotp(token, code(secret))).toMatchObject({ ok: false, reason: 'invalid_code' })
  const anew = granted(await accounts.enrolTotp(token, { password: PASSWORD }))
  granted(await accounts.confirmTotp(token, code(anew.secret)))
})
