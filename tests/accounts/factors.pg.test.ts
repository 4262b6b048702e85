/** Factors on a real log: enrolled, confirmed, replaced, removed, reset. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { login } from '../../src/accounts/login.ts'
import { createInProcessHub, type RuntimeNode } from '../../src/index.ts'
import { eventually } from '../sync/eventually.ts'
import { createFactorStage } from './factor-stage.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { quietPorts } from './quiet-ports.ts'
import { STEP_MS } from './still-clock.ts'

const stage = createFactorStage()
const { clock, enrolled, nodeAt, pending, read, registered, start } = stage
const { now } = clock
let node: RuntimeNode
let other: RuntimeNode
beforeAll(async () => {
  ;({ node, other } = await stage.open())
})
afterAll(() => stage.close())

test('a code completes no login whose password was changed on a node that this one does not hear, and one under the new password', async () => {
  const lonely = await start({ name: 'lonely', hub: createInProcessHub() })
  onTestFinished(() => lonely.close())
  const { secret, userId } = await enrolled('zoe')
  const before = await pending('zoe', lonely)
  const password = `${PASSWORD}, and another`
  granted(await node.accounts.setPassword(userId, password))
  const shown = { method: 'totp', code: codeOf(secret, now()) } as const
  expect(await lonely.accounts.verifyFactor(before, shown)).toMatchObject({ ok: false, reason: 'invalid_session' })
  const after = granted(await node.accounts.login({ login: 'zoe', password }))
  const next = { method: 'totp', code: codeOf(secret, now() + STEP_MS) } as const
  const { token } = granted(await lonely.accounts.verifyFactor(after.token, next))
  expect((await lonely.accounts.validate(token)).ok).toBe(true)
})

describe('an authenticator app', () => {
  test('is enrolled, confirmed by a first code, and asked for at the next login', async () => {
    const { secret, uri, backupCodes, userId, token } = await enrolled('ada')
    expect(uri).toBe(`otpauth://totp/RootStream:ada?secret=${secret}&issuer=RootStream`)
    expect(backupCodes).toHaveLength(10)
    expect(await node.accounts.validate(token)).toMatchObject({ ok: true, methods: ['password', 'totp'] })
    const waiting = granted(await other.accounts.login({ login: 'ada', password: PASSWORD }))
    expect(waiting).toMatchObject({ pending: true, factors: ['totp', 'backup_codes'] })
    expect(await other.accounts.validate(waiting.token)).toMatchObject({ ok: false, reason: 'invalid_session' })
    const shown = granted(
      await other.accounts.verifyFactor(waiting.token, { method: 'totp', code: codeOf(secret, now()) }),
    )
    expect(shown.token).not.toBe(waiting.token)
    expect(await other.accounts.validate(waiting.token)).toMatchObject({ ok: false, reason: 'invalid_session' })
    await eventually(async () => expect(await node.accounts.validate(shown.token)).toMatchObject({ ok: true, userId }))
  })

  test('is not asked for before it is confirmed, and the secret of an enrolment that was begun anew is void', async () => {
    const { token } = await registered('amy')
    const first = granted(await node.accounts.enrolTotp(token))
    expect(granted(await node.accounts.login({ login: 'amy', password: PASSWORD })).pending).toBeUndefined()
    const second = granted(await other.accounts.enrolTotp(token))
    expect(await node.accounts.confirmTotp(token, codeOf(first.secret, now()))).toMatchObject({
      reason: 'invalid_code',
    })
    expect(await node.accounts.confirmTotp(token, codeOf(second.secret, now()))).toMatchObject({ ok: true })
  })

  test('of which there is one stays until it is removed', async () => {
    const { token } = await enrolled('ann')
    expect(await node.accounts.enrolTotp(token)).toMatchObject({ ok: false, reason: 'factor_exists' })
    expect(await node.accounts.confirmTotp(token, '000000')).toMatchObject({ ok: false, reason: 'factor_exists' })
    expect(await node.accounts.removeFactor(token, 'totp')).toEqual({ ok: true, removed: true })
    expect(await node.accounts.removeFactor(token, 'totp', {})).toMatchObject({ ok: true, removed: false })
    expect(await node.accounts.enrolTotp(token)).toMatchObject({ ok: true })
  })

  test('that two requests enrol at once is enrolled once', async () => {
    const { token } = await registered('abe')
    const answers = await Promise.all([0, 1, 2, 3].map(index => nodeAt(index).accounts.enrolTotp(token)))
    const last = answers.filter(({ ok }) => ok)
    expect(last.length).toBeGreaterThan(0)
    for (const answer of answers) if (!answer.ok) expect(answer.reason).toBe('factor_exists')
    const codes = last.map(answer => codeOf(granted(answer).secret, now()))
    const confirmed = []
    for (const code of codes) confirmed.push((await node.accounts.confirmTotp(token, code)).ok)
    expect(confirmed.filter(Boolean)).toHaveLength(1)
  })

  test('that a node was killed over in the middle of its enrolment is confirmed on another, by the code on the phone', async () => {
    const { token } = await registered('asa')
    const third = await start({ name: 'c' })
    const { secret } = granted(await third.accounts.enrolTotp(token))
    await third.close()
    expect(await node.accounts.confirmTotp(token, codeOf(secret, now()))).toMatchObject({ ok: true })
  })
})

test('a sealed secret that was moved to another user by hand makes no code of theirs good', async () => {
  const [ben, eve] = [await enrolled('mo1'), await enrolled('mo2')]
  const idOf = async (userId: number) => (await node.log.holderOf({ kind: 'factor', key: `${userId}/totp` }))?.id ?? 0
  const { context } = await node.actor('factor', await idOf(eve.userId)).state()
  const { secret } = context['row'] as { secret: string }
  await node.actor('factor', await idOf(ben.userId)).send({ type: 'factor.resealed', secret })
  const login = await pending('mo1')
  await expect(
    node.accounts.verifyFactor(login, { method: 'totp', code: codeOf(eve.secret, now()) }),
  ).rejects.toMatchObject({ code: 'corrupt_data' })
  expect(await node.accounts.validate(login)).toMatchObject({ ok: false })
})

describe('a change of factors', () => {
  test('needs one that was shown a moment ago, ends the other sessions, and takes the backup codes with the last one', async () => {
    const { token, userId, secret } = await enrolled('fay')
    const login = await pending('fay')
    const elsewhere = granted(await node.accounts.verifyFactor(login, { method: 'totp', code: codeOf(secret, now()) }))
    clock.moveOn(10 * 60_000)
    expect(await node.accounts.removeFactor(token, 'totp')).toMatchObject({ reason: 'factor_required' })
    const fresh = granted(await node.accounts.verifyFactor(token, { method: 'totp', code: codeOf(secret, now()) }))
    expect(await node.accounts.removeFactor(fresh.token, 'totp')).toEqual({ ok: true, removed: true })
    expect(await node.accounts.validate(elsewhere.token)).toMatchObject({ ok: false, reason: 'invalid_session' })
    expect(await node.accounts.validate(fresh.token)).toMatchObject({ ok: true })
    expect(await node.accounts.factors(userId)).toEqual([])
    expect(granted(await node.accounts.login({ login: 'fay', password: PASSWORD })).pending).toBeUndefined()
    expect(await read('select 1 from user_mfa where user_id = $1', [userId])).toEqual([])
  })

  test('to the first one ends the sessions that were opened without it', async () => {
    const before = await registered('fil')
    const { token } = granted(await node.accounts.login({ login: 'fil', password: PASSWORD }))
    const { secret } = granted(await node.accounts.enrolTotp(token))
    const confirmed = granted(await node.accounts.confirmTotp(token, codeOf(secret, now())))
    expect(await node.accounts.validate(before.token)).toMatchObject({ ok: false })
    expect(await node.accounts.validate(token)).toMatchObject({ ok: false })
    expect(await node.accounts.validate(confirmed.token)).toMatchObject({ ok: true })
  })
})

test('a login with a password alone, in the middle of which a first factor is confirmed, waits for it', async () => {
  const { token } = await registered('mia')
  const { secret } = granted(await node.accounts.enrolTotp(token))
  let confirm: (() => Promise<unknown>) | undefined = () => node.accounts.confirmTotp(token, codeOf(secret, now()))
  const ports = await quietPorts(node, {
    clock,
    // Between the look at the factors and the session.
    nextId: async type => {
      const run = confirm
      confirm = undefined
      await run?.()
      return node.log.nextId(type)
    },
  })
  const answer = granted(await login(ports, { login: 'mia', password: PASSWORD }, {}))
  expect(answer).toMatchObject({ pending: true, factors: ['totp', 'backup_codes'] })
  const [open] = await read('select count(*)::int as count from sessions where user_id = $1 and is_active', [
    answer.userId,
  ])
  expect(open).toEqual({ count: 1 })
})

describe('a reset', () => {
  test('takes all factors away and ends all sessions, by an administrator with a fresh factor and no other', async () => {
    const user = await enrolled('gil')
    const admin = await enrolled('gus')
    const reset = (token: string) => node.accounts.resetFactorsOf(token, user.userId)
    expect(await reset(admin.token)).toMatchObject({ ok: false, reason: 'forbidden' })
    await node.actor('user', admin.userId).send({ type: 'user.roles.changed', roles: ['admin'] })
    const login = await pending('gus')
    const { token } = granted(
      await node.accounts.verifyFactor(login, { method: 'totp', code: codeOf(admin.secret, now()) }),
    )
    clock.moveOn(10 * 60_000)
    expect(await reset(token)).toMatchObject({ ok: false, reason: 'factor_required' })
    const fresh = granted(
      await node.accounts.verifyFactor(token, { method: 'totp', code: codeOf(admin.secret, now()) }),
    )
    await expect(node.accounts.resetFactorsOf(fresh.token, 1_000_000)).rejects.toMatchObject({ code: 'not_found' })
    expect(await reset(fresh.token)).toEqual({ ok: true, removed: 2 })
    expect(await node.accounts.validate(user.token)).toMatchObject({ ok: false })
    expect(granted(await node.accounts.login({ login: 'gil', password: PASSWORD })).pending).toBeUndefined()
    const page = await node.log.audit({ userId: admin.userId, type: 'factor.removed' })
    expect(page.events.map(({ data }) => data)).toEqual(Array(2).fill({ reason: 'reset by an administrator' }))
  })
})
