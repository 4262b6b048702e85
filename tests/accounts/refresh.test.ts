/** Tokens that change: what an honest client gets, and what becomes of one that was copied. */
import { describe, expect, test } from 'vitest'
import type { OpenedSession } from '../../src/accounts/sessions.ts'
import type { RuntimeNode } from '../../src/index.ts'
import { HOUR, MINUTE, startStage } from './memory-stage.ts'

async function exchanged(
  node: RuntimeNode,
  tokens: { token?: string; rememberToken?: string },
): Promise<OpenedSession> {
  const session = await node.accounts.refresh(tokens)
  return session.ok ? session : expect.unreachable(session.detail)
}

/** Of a session that is remembered. */
function rememberOf({ rememberToken }: OpenedSession): string {
  return rememberToken ?? expect.unreachable('no remember-me token')
}

describe('a session token', () => {
  test('is exchanged for a new one; the old one is taken for ten seconds more', async () => {
    const { node, clock, open, verdict } = await startStage()
    const { token, expiresAt } = await open()
    const next = await exchanged(node, { token })
    expect(next.token).not.toBe(token)
    expect(next.expiresAt, 'no exchange prolongs a session').toBe(expiresAt)
    expect([await verdict(token), await verdict(next.token)]).toEqual(['valid', 'valid'])
    clock.advance(10_000)
    expect([await verdict(token), await verdict(next.token)]).toEqual(['invalid_session', 'valid'])
  })

  test('of which many requests show the same one leads to one new one: nobody is signed out by an honest race', async () => {
    const { node, clock, open, verdict } = await startStage()
    const { token, sessionId } = await open()
    const all = await Promise.all(Array.from({ length: 50 }, () => exchanged(node, { token })))
    expect(new Set(all.map(session => session.token)).size).toBe(1)
    expect((await node.actor('session', sessionId).state()).version, 'created, refreshed once').toBe(2)
    // An answer that was lost is asked for again.
    clock.advance(9_000)
    expect((await exchanged(node, { token })).token).toBe(all[0]?.token)
    expect(await verdict(all[0]?.token ?? '')).toBe('valid')
  })

  test('that was replaced and is shown later was copied: the session is over', async () => {
    const { node, clock, open, verdict } = await startStage()
    const { token, sessionId } = await open()
    const next = await exchanged(node, { token })
    clock.advance(10_001)
    expect(await node.accounts.refresh({ token })).toMatchObject({ ok: false, reason: 'invalid_session' })
    expect(await verdict(next.token)).toBe('invalid_session')
    expect((await node.actor('session', sessionId).state()).state).toBe('revoked')
  })

  test('that is made up, or of another session, changes nothing', async () => {
    const { node, open, verdict } = await startStage()
    const mine = await open()
    const other = await open()
    const secret = other.token.split('_')[2]
    for (const forged of [`rss_${mine.sessionId}_${secret}`, `rss_${mine.sessionId}_${'A'.repeat(43)}`, '', 'rss__'])
      expect(await node.accounts.refresh({ token: forged, rememberToken: forged })).toMatchObject({ ok: false })
    expect([await verdict(mine.token), await verdict(other.token)]).toEqual(['valid', 'valid'])
  })

  test('is not exchanged when its session is over, idle, or its user is not in use', async () => {
    const { node, clock, userId, open } = await startStage()
    const [closed, idle] = [await open(), await open()]
    await node.accounts.logout(closed.token)
    clock.advance(HOUR + 1)
    const refused = { ok: false, reason: 'invalid_session' }
    expect(await node.accounts.refresh({ token: closed.token })).toMatchObject(refused)
    expect(await node.accounts.refresh({ token: idle.token })).toMatchObject(refused)
    const last = await open()
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    expect(await node.accounts.refresh({ token: last.token })).toMatchObject(refused)
  })
})

describe('a remembered session', () => {
  test('outlives idle time and the end of its token by the other token, until its own end', async () => {
    const accounts = { idleMs: MINUTE, absoluteMs: 5 * MINUTE, rememberMs: 60 * MINUTE }
    const { node, clock, open, verdict } = await startStage({ accounts })
    let session = await open({}, { remember: true })
    expect(session.rememberedUntil).toBe(new Date(clock.now() + 60 * MINUTE).toISOString())
    const [first, end] = [session.token, session.rememberedUntil]
    clock.advance(6 * MINUTE)
    expect(await verdict(session.token)).toBe('invalid_session')
    session = await exchanged(node, { token: session.token, rememberToken: rememberOf(session) })
    expect(session.token).not.toBe(first)
    expect(session.rememberedUntil).toBe(end)
    expect(await node.accounts.validate(session.token)).toMatchObject({ ok: true, methods: ['password', 'remembered'] })
    clock.advance(53 * MINUTE)
    session = await exchanged(node, { rememberToken: rememberOf(session) })
    expect(session.expiresAt, 'no token outlives the session').toBe(end)
    clock.advance(MINUTE)
    expect(await node.accounts.refresh({ rememberToken: rememberOf(session) })).toMatchObject({ ok: false })
  })

  test('is no fresh sign-in: what asks for a factor still does', async () => {
    const { node, clock, open } = await startStage()
    const session = await open({}, { remember: true })
    clock.advance(2 * HOUR)
    const { token } = await exchanged(node, { rememberToken: rememberOf(session) })
    const valid = await node.accounts.validate(token)
    if (!valid.ok) return expect.unreachable(valid.detail)
    expect(await node.accounts.requireFresh(valid)).toMatchObject({ reason: 'factor_required', factors: ['password'] })
  })

  test('gives many requests with the same token the same new ones', async () => {
    const { node, open } = await startStage()
    const rememberToken = rememberOf(await open({}, { remember: true }))
    const all = await Promise.all(Array.from({ length: 50 }, () => exchanged(node, { rememberToken })))
    expect(new Set(all.map(session => `${session.token} ${session.rememberToken} ${session.expiresAt}`)).size).toBe(1)
  })

  test.each([1, 2, 5])('whose token of %i exchanges ago is shown again was copied: the family is over', async ago => {
    const { node, clock, open, verdict } = await startStage()
    let session = await open({}, { remember: true })
    const stolen = rememberOf(session)
    for (let n = 0; n < ago; n++) {
      session = await exchanged(node, { rememberToken: rememberOf(session) })
      clock.advance(10_000)
    }
    const another = await open({}, { remember: true })
    expect(await node.accounts.refresh({ rememberToken: stolen })).toMatchObject({ ok: false })
    expect(await verdict(session.token)).toBe('invalid_session')
    expect(await node.accounts.refresh({ rememberToken: rememberOf(session) })).toMatchObject({ ok: false })
    const { context } = await node.actor('session', session.sessionId).state()
    expect(context).toMatchObject({ endReason: 'a remember-me token was used again' })
    expect(await verdict(another.token), 'a family of its own').toBe('valid')
  })

  test('is not ended by guesses: without the secret of the family nothing changes', async () => {
    const { node, open, verdict } = await startStage()
    const session = await open({}, { remember: true })
    const [, , family = '', secret = ''] = rememberOf(session).split('_')
    const other = rememberOf(await open({}, { remember: true })).split('_')
    for (const guess of [
      `rsr_${session.sessionId}_${other[2]}_${secret}`,
      `rsr_${session.sessionId}_${other[2]}_${other[3]}`,
      `rsr_${session.sessionId}_${family}_${secret}x`,
      `rsr_${session.sessionId}_${family}`,
      `rsr_999_${family}_${secret}`,
    ])
      expect(await node.accounts.refresh({ rememberToken: guess })).toMatchObject({ ok: false })
    expect(await verdict(session.token)).toBe('valid')
    expect(await node.accounts.refresh({ rememberToken: rememberOf(session) })).toMatchObject({ ok: true })
  })

  test('ends with all others: ended by its user, by a changed password, by deactivation', async () => {
    const { node, userId, open } = await startStage()
    for (const event of [
      { type: 'user.sessions.ended' },
      { type: 'user.password.changed', passwordHash: 'other' },
      { type: 'user.roles.changed', roles: ['viewer'] },
      { type: 'user.deactivated' },
    ]) {
      const rememberToken = rememberOf(await open({}, { remember: true }))
      expect(await node.actor('user', userId).send(event)).toMatchObject({ ok: true })
      expect(await node.accounts.refresh({ rememberToken }), event.type).toMatchObject({ ok: false })
    }
  })
})
