/** What happens in the middle of a change of factors: nothing is opened by one that goes, and nothing is left half done. */
import { describe, expect, test } from 'vitest'
import { granted, PASSWORD } from './granted.ts'
import { startInterruptedStage } from './interrupted-stage.ts'

const INVALID = { ok: false, reason: 'invalid_session' }

describe('a login whose code was taken a moment before', () => {
  test.each(['totp', 'backup_codes'] as const)('an administrator reset all factors opens nothing: %s', async method => {
    const { accounts, node, before, enrolled, code } = await startInterruptedStage()
    const { userId, secret, backupCodes } = await enrolled('ada')
    const admin = await enrolled('root')
    await node.actor('user', admin.userId).send({ type: 'user.roles.changed', roles: ['admin'] })
    const login = granted(await accounts.login({ login: 'root', password: PASSWORD }))
    const { token } = granted(await accounts.verifyFactor(login.token, { method: 'totp', code: code(admin.secret) }))
    const waiting = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    before('session.authenticated', async () => granted(await accounts.resetFactorsOf(token, userId)))
    const shown = method === 'totp' ? code(secret) : (backupCodes[0] ?? '')
    expect(await accounts.verifyFactor(waiting.token, { method, code: shown })).toMatchObject(INVALID)
    expect((await node.actor('session', waiting.sessionId).state()).state).toBe('revoked')
  })

  test('its owner removed that factor opens nothing', async () => {
    const { accounts, before, enrolled, code } = await startInterruptedStage()
    const { token, secret } = await enrolled('ada')
    const waiting = granted(await accounts.login({ login: 'ada', password: PASSWORD }))
    before('user.login.recorded', async () => granted(await accounts.removeFactor(token, 'totp')))
    expect(await accounts.verifyFactor(waiting.token, { method: 'totp', code: code(secret) })).toMatchObject(INVALID)
  })
})
