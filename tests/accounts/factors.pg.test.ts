/** Factors on a real log: enrolled, confirmed, shown, used up once over two nodes, replaced, removed, reset. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { login } from '../../src/accounts/login.ts'
import { createInProcessHub, createNode, type NodeOptions, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { MAX_WRONG_CODES } from '../../src/machines/factor/machine.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { quietPorts } from './quiet-ports.ts'
import { createStillClock, STEP_MS } from './still-clock.ts'

let database: TestDatabase
let node: RuntimeNode
let other: RuntimeNode
const clock = createStillClock()
const { now } = clock

beforeAll(async () => {
  database = await createTestDatabase()
  const hub = createInProcessHub()
  node = await start({ hub, name: 'a' })
  other = await start({ hub, name: 'b' })
})

afterAll(async () => {
  await Promise.all([node.close(), other.close()])
  await database.drop()
})

const MANY_LOGINS = { free: 25, within: 60, firstWait: 30, longestWait: 60, most: 1_000, remembered: 60 }

function start(options: NodeOptions): Promise<RuntimeNode> {
  return createNode({
    ...{ database: database.url, keys: TEST_KEYS, log: silentLogger, clock },
    // Twenty logins at once are twenty attempts under way.
    accounts: { attemptBudgets: { 'login.account': MANY_LOGINS } },
    ...options,
  })
}

async function registered(username: string) {
  granted(await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
  return granted(await node.accounts.login({ login: username, password: PASSWORD }))
}

async function enrolled(username: string) {
  const session = await registered(username)
  const { secret, uri } = granted(await node.accounts.enrolTotp(session.token))
  const { backupCodes = [], ...opened } = granted(
    await node.accounts.confirmTotp(session.token, codeOf(secret, now() - STEP_MS)),
  )
  return { ...opened, secret, uri, backupCodes }
}

async function pending(username: string, on = node) {
  const session = granted(await on.accounts.login({ login: username, password: PASSWORD }))
  expect(session).toMatchObject({ pending: true })
  return session.token
}

/** Logins as they wait for a factor, one after the other on either node. */
const pendings = (username: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => pending(username, nodeAt(index))))
const nodeAt = (index: number) => (index % 2 === 0 ? node : other)

async function read(sql: string, values: unknown[] = []) {
  await node.projections.caughtUp(await node.log.head())
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { rows } = await client.query(sql, values)
  await client.end()
  return rows
}

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

describe('a code', () => {
  test('that was used is not taken on another node, nor the one that confirmed', async () => {
    const { secret } = await enrolled('bob')
    const [confirmation, code] = [codeOf(secret, now() - STEP_MS), codeOf(secret, now())]
    const [first, second, third] = await pendings('bob', 3)
    expect(await node.accounts.verifyFactor(first ?? '', { method: 'totp', code: confirmation })).toMatchObject({
      ok: false,
      reason: 'invalid_code',
    })
    expect(await node.accounts.verifyFactor(second ?? '', { method: 'totp', code })).toMatchObject({ ok: true })
    expect(await other.accounts.verifyFactor(third ?? '', { method: 'totp', code })).toMatchObject({
      ok: false,
      reason: 'invalid_code',
    })
  })

  test('that twenty show at once, on two nodes, is taken once', async () => {
    const { secret } = await enrolled('ben')
    const code = codeOf(secret, now())
    // Each node has a budget of ten in memory.
    const logins = await pendings('ben', 20)
    const answers = await Promise.all(
      logins.map((token, index) => nodeAt(index).accounts.verifyFactor(token, { method: 'totp', code })),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    for (const answer of answers) if (!answer.ok) expect(answer.reason).toBe('invalid_code')
  })

  test('of the step before is not taken after a later one; each of three steps is in order', async () => {
    const { secret } = await enrolled('bea')
    const [before, at, after] = [-STEP_MS, 0, STEP_MS].map(ms => codeOf(secret, now() + ms))
    const show = async (code = '') =>
      (await node.accounts.verifyFactor(await pending('bea'), { method: 'totp', code })).ok
    // The confirmation was the step before.
    expect([await show(after), await show(at), await show(before)]).toEqual([true, false, false])
    clock.moveOn(3 * STEP_MS)
    const later = [-STEP_MS, 0, STEP_MS].map(ms => codeOf(secret, now() + ms))
    expect([await show(later[0]), await show(later[1]), await show(later[2])]).toEqual([true, true, true])
  })

  test('two steps away is not taken', async () => {
    const { secret } = await enrolled('bud')
    for (const ms of [-2 * STEP_MS, 2 * STEP_MS, 3_600_000])
      expect(
        await node.accounts.verifyFactor(await pending('bud'), { method: 'totp', code: codeOf(secret, now() + ms) }),
      ).toMatchObject({ ok: false, reason: 'invalid_code' })
  })

  test('is refused, and no mistake of ours, while a clock is behind the last step that was used', async () => {
    const { secret } = await enrolled('bil')
    expect(
      await node.accounts.verifyFactor(await pending('bil'), { method: 'totp', code: codeOf(secret, now()) }),
    ).toMatchObject({ ok: true })
    clock.moveOn(-3_600_000)
    try {
      expect(
        await node.accounts.verifyFactor(await pending('bil'), { method: 'totp', code: codeOf(secret, now()) }),
      ).toMatchObject({ ok: false, reason: 'invalid_code' })
    } finally {
      clock.moveOn(3_600_000)
    }
  })

  test('of another user, of no form, or of a method that the user lacks is wrong', async () => {
    await enrolled('bo1')
    const { secret } = await enrolled('bo2')
    const token = await pending('bo1')
    const wrong = [codeOf(secret, now()), '', '１２３４５６', '12345', 'null', '0x1234', '\u0000']
    for (const code of wrong)
      expect(await node.accounts.verifyFactor(token, { method: 'totp', code })).toMatchObject({
        reason: 'invalid_code',
      })
    expect(await node.accounts.verifyFactor(token, { method: 'backup_codes', code: '123456' })).toMatchObject({
      reason: 'invalid_code',
    })
  })
})

describe('backup codes', () => {
  test('each completes one login, of two nodes that race for it one, and the user is told how many are left', async () => {
    const { backupCodes } = await enrolled('cat')
    const code = (backupCodes[0] ?? '').toLowerCase().replaceAll('-', ' ')
    const logins = await pendings('cat', 10)
    const answers = await Promise.all(
      logins.map((token, index) => nodeAt(index).accounts.verifyFactor(token, { method: 'backup_codes', code })),
    )
    const taken = answers.filter(({ ok }) => ok)
    expect(taken).toHaveLength(1)
    expect(taken[0]).toMatchObject({ backupCodesLeft: 9 })
    expect(
      await node.accounts.factors(
        granted(answers.find(({ ok }) => ok) as never as { ok: true; userId: number }).userId,
      ),
    ).toMatchObject([
      { method: 'totp', enabled: true },
      { method: 'backup_codes', codesLeft: 9 },
    ])
  })

  test('are replaced after a fresh factor, and void from then on, also for who is about to use one', async () => {
    const { token, backupCodes } = await enrolled('cem')
    const login = await pending('cem')
    const [replaced, used] = await Promise.all([
      node.accounts.replaceBackupCodes(token),
      other.accounts.verifyFactor(await pending('cem', other), { method: 'backup_codes', code: backupCodes[0] ?? '' }),
    ])
    const { backupCodes: next } = granted(replaced)
    expect(next).toHaveLength(10)
    expect(used.ok ? 'before' : used.reason).toMatch(/^before$|^invalid_code$/)
    expect(
      await node.accounts.verifyFactor(login, { method: 'backup_codes', code: backupCodes[1] ?? '' }),
    ).toMatchObject({
      reason: 'invalid_code',
    })
    expect(await node.accounts.verifyFactor(login, { method: 'backup_codes', code: next[0] ?? '' })).toMatchObject({
      ok: true,
      backupCodesLeft: 9,
    })
  })

  test('are not given to who has no factor that they stand in for', async () => {
    const { token } = await registered('cid')
    expect(await node.accounts.replaceBackupCodes(token)).toMatchObject({ ok: false, reason: 'factor_required' })
  })

  test('lie in the log, in tables and in snapshots as hashes alone, and the secret of the app sealed', async () => {
    const { backupCodes, secret, userId } = await enrolled('cay')
    for (const method of ['totp', 'backup_codes']) {
      const { id = 0 } = (await node.log.holderOf({ kind: 'factor', key: `${userId}/${method}` })) ?? {}
      const { context } = await node.actor('factor', id).state()
      const row = context['row'] as { secret: string; backup_codes: string[] }
      // The same once more, until there are as many events as a snapshot takes.
      const again =
        method === 'totp'
          ? { type: 'factor.resealed', secret: row.secret }
          : { type: 'factor.backup.replaced', backupCodes: row.backup_codes }
      for (let n = 0; n < 100; n++) granted(await node.actor('factor', id).send(again))
      await eventually(async () =>
        expect(
          await read("select 1 from actor_snapshots where actor_type = 'factor' and actor_id = $1", [id]),
        ).toHaveLength(1),
      )
    }
    const [dump] = await read(
      `select (select jsonb_agg(to_jsonb(e)) from events e)::text || (select jsonb_agg(to_jsonb(m)) from user_mfa m)::text
        || (select jsonb_agg(to_jsonb(s)) from actor_snapshots s)::text as text`,
    )
    for (const canary of [secret, ...backupCodes, ...backupCodes.map(code => code.replaceAll('-', ''))])
      expect(dump.text).not.toContain(canary)
    const rows = await read('select * from user_mfa where user_id = $1 order by method desc', [userId])
    expect(rows).toMatchObject([
      { method: 'totp', secret: expect.stringMatching(/^v1\.tests\./), is_enabled: true, backup_codes: null },
      {
        method: 'backup_codes',
        secret: '',
        is_enabled: true,
        backup_codes: Array(10).fill(expect.stringMatching(/^[\w-]{43}$/)),
      },
    ])
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
