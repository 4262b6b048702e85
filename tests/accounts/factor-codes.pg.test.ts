/** Codes of authenticator apps and backup codes on a real log: each is used up once over two nodes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeNode } from '../../src/index.ts'
import { eventually } from '../sync/eventually.ts'
import { createFactorStage } from './factor-stage.ts'
import { codeOf, granted } from './granted.ts'
import { STEP_MS } from './still-clock.ts'

const stage = createFactorStage()
const { clock, enrolled, nodeAt, pending, pendings, read, registered } = stage
const { now } = clock
let node: RuntimeNode
let other: RuntimeNode
beforeAll(async () => {
  ;({ node, other } = await stage.open())
})
afterAll(() => stage.close())

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
