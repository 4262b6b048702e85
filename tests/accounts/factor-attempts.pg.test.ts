/** Attempts at factors on a real log: recorded and bounded, and what a session may do that is short of one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeNode } from '../../src/index.ts'
import { MAX_WRONG_CODES } from '../../src/machines/factor/machine.ts'
import { createFactorStage } from './factor-stage.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { STEP_MS } from './still-clock.ts'

const stage = createFactorStage()
const { clock, enrolled, pending, read, registered, start } = stage
const { now } = clock
let node: RuntimeNode
beforeAll(async () => {
  ;({ node } = await stage.open())
})
afterAll(() => stage.close())

describe('attempts', () => {
  test('are recorded, each with its method, its outcome and its address', async () => {
    const { secret, userId, backupCodes } = await enrolled('dan')
    const from = (ipAddress: string) => ({ ipAddress })
    const login = await pending('dan')
    await node.accounts.verifyFactor(login, { method: 'totp', code: '000000' }, from('192.0.2.7'))
    await node.accounts.verifyFactor(login, { method: 'backup_codes', code: 'x' }, from('fe80::1%eth0'))
    await node.accounts.verifyFactor(login, { method: 'totp', code: codeOf(secret, now()) }, from('2001:db8::1'))
    await node.accounts.verifyFactor(await pending('dan'), { method: 'backup_codes', code: backupCodes[3] ?? '' })
    const rows = await read(
      'select method, success, host(ip_address) as ip, attempted_at is not null as timed from mfa_attempts where user_id = $1 order by id',
      [userId],
    )
    expect(rows).toEqual([
      { method: 'totp', success: true, ip: null, timed: true },
      { method: 'totp', success: false, ip: '192.0.2.7', timed: true },
      { method: 'backup_code', success: false, ip: null, timed: true },
      { method: 'totp', success: true, ip: '2001:db8::1', timed: true },
      { method: 'backup_code', success: true, ip: null, timed: true },
    ])
    const [used] = await read(
      "select last_used_at is not null as used from user_mfa where user_id = $1 and method = 'totp'",
      [userId],
    )
    expect(used).toEqual({ used: true })
  })

  test('have one budget over all methods; when it is spent, a right code is refused as well, with a word when to try again', async () => {
    const { secret, backupCodes, userId } = await enrolled('deb')
    const login = await pending('deb')
    for (let tries = 0; tries < 5; tries++) {
      expect(await node.accounts.verifyFactor(login, { method: 'totp', code: '000000' })).toMatchObject({
        reason: 'invalid_code',
      })
      expect(await node.accounts.verifyFactor(login, { method: 'backup_codes', code: 'x' })).toMatchObject({
        reason: 'invalid_code',
      })
    }
    const shown = [
      { method: 'totp', code: codeOf(secret, now()) },
      { method: 'backup_codes', code: backupCodes[0] ?? '' },
    ] as const
    for (const right of shown)
      expect(await node.accounts.verifyFactor(await pending('deb'), right)).toMatchObject({
        ok: false,
        reason: 'too_many_attempts',
        detail: expect.stringMatching(/Too many codes .* 15 minutes/),
        retryAfterMs: expect.any(Number),
      })
    await node.accounts.resetFactors(userId)
    expect(await node.accounts.login({ login: 'deb', password: PASSWORD })).toMatchObject({ ok: true })
  })

  test('at an app end for good after a hundred wrong codes in a row, on however many nodes, and a backup code is left', async () => {
    const { secret, backupCodes, userId } = await enrolled('dov')
    const { factorId } = await totpOf(userId)
    const nodes = await Promise.all(Array.from({ length: 11 }, (_, index) => start({ name: `brute-${index}` })))
    try {
      for (const brute of nodes) {
        const login = await pending('dov', brute)
        const guess = () => brute.accounts.verifyFactor(login, { method: 'totp', code: '000000' })
        await Promise.all(Array.from({ length: 10 }, guess))
      }
    } finally {
      await Promise.all(nodes.map(brute => brute.close()))
    }
    expect((await node.actor('factor', factorId).state()).context['wrongCodes']).toBe(MAX_WRONG_CODES)
    const login = await pending('dov')
    expect(await node.accounts.verifyFactor(login, { method: 'totp', code: codeOf(secret, now()) })).toMatchObject({
      reason: 'invalid_code',
    })
    const { token } = granted(
      await node.accounts.verifyFactor(login, { method: 'backup_codes', code: backupCodes[0] ?? '' }),
    )
    expect(await node.accounts.removeFactor(token, 'totp')).toMatchObject({ removed: true })
    expect(await node.accounts.enrolTotp(token)).toMatchObject({ ok: true })
  })

  async function totpOf(userId: number) {
    const holder = await node.log.holderOf({ kind: 'factor', key: `${userId}/totp` })
    return { factorId: holder?.id ?? 0 }
  }
})

describe('step-up', () => {
  test('a factor shown on an open session makes it fresh under a new token, and the old one is void at once', async () => {
    const { secret } = await enrolled('eli')
    const login = await pending('eli')
    const { token } = granted(await node.accounts.verifyFactor(login, { method: 'totp', code: codeOf(secret, now()) }))
    clock.moveOn(10 * 60_000)
    expect(await node.accounts.replaceBackupCodes(token)).toMatchObject({
      ok: false,
      reason: 'factor_required',
      detail: expect.stringContaining('totp'),
    })
    const elevated = granted(await node.accounts.verifyFactor(token, { method: 'totp', code: codeOf(secret, now()) }))
    expect(elevated.token).not.toBe(token)
    expect(await node.accounts.validate(token)).toMatchObject({ ok: false })
    expect(await node.accounts.replaceBackupCodes(elevated.token)).toMatchObject({ ok: true })
  })

  test('without a factor the password is asked for again once it is old, and counted', async () => {
    const { token } = await registered('eva')
    clock.moveOn(10 * 60_000)
    expect(await node.accounts.enrolTotp(token)).toMatchObject({ reason: 'factor_required' })
    expect(await node.accounts.enrolTotp(token, { password: 'wrong' })).toMatchObject({ reason: 'invalid_credentials' })
    expect(await node.accounts.enrolTotp(token, { password: PASSWORD })).toMatchObject({ ok: true })
    for (let tries = 0; tries < 25; tries++) await node.accounts.enrolTotp(token, { password: 'wrong' })
    expect(await node.accounts.enrolTotp(token, { password: PASSWORD })).toMatchObject({ reason: 'too_many_attempts' })
  })

  test('a pending session can do nothing but show a factor', async () => {
    await enrolled('eda')
    const token = await pending('eda')
    const { accounts } = node
    for (const answer of [
      await accounts.enrolTotp(token),
      await accounts.confirmTotp(token, '000000'),
      await accounts.replaceBackupCodes(token),
      await accounts.removeFactor(token, 'totp'),
      await accounts.resetFactorsOf(token, 1),
    ])
      expect(answer).toMatchObject({ ok: false, reason: 'factor_required' })
  })

  test('a challenged session shows a factor and goes on; a wrong token, one that is over or one of a user out of use does nothing', async () => {
    const { secret, token, sessionId, userId } = await enrolled('edo')
    await node.actor('session', sessionId).send({ type: 'session.challenged', reason: 'a new device' })
    expect(await node.accounts.validate(token)).toMatchObject({ reason: 'factor_required' })
    expect(await node.accounts.removeFactor(token, 'totp')).toMatchObject({ reason: 'factor_required' })
    const code = codeOf(secret, now())
    for (const wrong of ['', 'x', token.slice(0, -1), token.replace(/_\d+_/, '_1_'), `${token}A`])
      expect(await node.accounts.verifyFactor(wrong, { method: 'totp', code })).toMatchObject({
        reason: 'invalid_session',
      })
    const shown = granted(await node.accounts.verifyFactor(token, { method: 'totp', code }))
    expect(await node.accounts.validate(shown.token)).toMatchObject({ ok: true })
    const login = await pending('edo')
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    for (const over of [shown.token, login])
      expect(
        await node.accounts.verifyFactor(over, { method: 'totp', code: codeOf(secret, now() + STEP_MS) }),
      ).toMatchObject({
        reason: 'invalid_session',
      })
  })
})
