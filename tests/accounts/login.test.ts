/** Signing in: what it tells, what it costs, and how often it may be tried. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from '../../src/accounts/client.ts'
import { createPasswordHasher } from '../../src/auth/password-hasher.ts'
import { type CostStage, createCostStage } from './cost-stage.ts'

const password = 'correct horse battery staple'
const wrong = 'wrong horse battery staple'
const LEGACY = '$argon2id$v=19$m=256,t=2,p=1$'

let stage: CostStage
let names = 0
beforeAll(async () => {
  stage = await createCostStage()
})
afterAll(() => stage.close())

let name: string
let userId: number
beforeEach(async () => {
  name = `user-${++names}`
  userId = await registered(name)
})

async function registered(username: string): Promise<number> {
  const answer = await stage.accounts.register({ username, email: `${username}@example.org`, password })
  return answer.ok ? answer.userId : expect.unreachable(answer.detail)
}

/** As the import of a 24.2 database leaves an account. */
async function withHash(username: string, passwordHash: string): Promise<void> {
  const created = await stage.node.create('user', {
    type: 'user.registered',
    username,
    email: `${username}@example.org`,
    passwordHash,
  })
  expect(created.ok).toBe(true)
}

const login = (as: string, shown: string, client?: Client) =>
  stage.accounts.login({ login: as, password: shown }, client)

const reasonOf = (answer: Awaited<ReturnType<typeof login>>) => (answer.ok ? undefined : answer.reason)

describe('whether an account exists', () => {
  test('shows neither in the answer nor in the work', async () => {
    await stage.node.actor('user', userId).send({ type: 'user.deactivated' })
    const deleted = await registered(`${name}-deleted`)
    await stage.node.actor('user', deleted).send({ type: 'user.deleted' })
    await registered(`${name}-active`)
    await withHash(`${name}-unusable`, 'x')
    await withHash(
      `${name}-huge`,
      '$argon2id$v=19$m=4194304,t=9,p=1$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM',
    )
    await withHash(`${name}-legacy`, await createPasswordHasher({ cost: { m: 256, t: 2, p: 1 } }).hash(password))
    // From the first legacy account on, all failures cost what it costs.
    await login(`${name}-legacy`, wrong)

    const client = { ipAddress: '192.0.2.1', deviceId: 'tablet' }
    const tried = {
      'a wrong password': await stage.costOf(() => login(`${name}-active`, wrong, client)),
      'a wrong password for an address': await stage.costOf(() => login(`${name}-active@example.org`, wrong, client)),
      nobody: await stage.costOf(() => login(`${name}-nobody`, password, client)),
      'no address': await stage.costOf(() => login(`${name}-nobody@example.org`, password, client)),
      deactivated: await stage.costOf(() => login(name, password, client)),
      deleted: await stage.costOf(() => login(`${name}-deleted`, password, client)),
      'an unusable hash': await stage.costOf(() => login(`${name}-unusable`, password, client)),
      'a hash that is too dear': await stage.costOf(() => login(`${name}-huge`, password, client)),
      'older parameters': await stage.costOf(() => login(`${name}-legacy`, wrong, client)),
    }
    const { nobody } = tried
    expect(nobody.answer).toMatchObject({ ok: false, reason: 'invalid_credentials' })
    expect(nobody.work.filter(step => step.startsWith('hash'))).toEqual(['hash 256/2/1', 'hash 64/1/1'])
    const plain = (work: readonly string[]) => work.map(step => step.replace(/user\.(?:email|username)/, 'name'))
    for (const [what, { answer, work }] of Object.entries(tried)) {
      expect(answer, what).toEqual(nobody.answer)
      expect(plain(work), what).toEqual(plain(nobody.work))
    }
    const warned = stage.log.lines.filter(({ message }) => message.includes('not computed'))
    expect(warned).toHaveLength(2)
    expect(JSON.stringify(warned)).not.toContain('argon2id')
  })

  test('does not show in a lockout, and a right password is refused in it like a wrong one', async () => {
    for (const who of [name, 'nobody-at-all']) {
      for (let n = 0; n < 5; n++) await login(who, wrong)
      const right = await stage.costOf(() => login(who, password))
      const wrongly = await stage.costOf(() => login(who, wrong))
      expect(right.answer).toMatchObject({ ok: false, reason: 'too_many_attempts' })
      expect({ ...right.answer, retryAfterMs: 0 }).toEqual({ ...wrongly.answer, retryAfterMs: 0 })
      expect(right.work).toEqual(wrongly.work)
      expect(right.work.some(step => step.startsWith('hash'))).toBe(false)
    }
  })

  test('does not show where the token of a device is shown', async () => {
    const deviceToken = `rsd_1_${'A'.repeat(43)}`
    const costOf = (who: string) =>
      stage.costOf(() => stage.accounts.login({ login: who, password: wrong, deviceToken }, { deviceId: 'tablet' }))
    const nobody = await costOf('nobody-with-a-device')
    expect(nobody.work).toContain('read trusted-device')
    const somebody = await costOf(name)
    expect(somebody.answer).toEqual(nobody.answer)
    expect(somebody.work).toEqual(nobody.work)
  })

  test('does not show by one name locking the other', async () => {
    for (let n = 0; n < 6; n++) await login(name, wrong)
    expect(await login(`${name}@example.org`, wrong)).toMatchObject({ reason: 'invalid_credentials' })
  })

  test('does not show so to whoever is in the network of its user either', async () => {
    const home = { ipAddress: '198.51.100.77' }
    expect(await login(name, password, home)).toMatchObject({ ok: true })
    for (let n = 0; n < 5; n++) await login(name, wrong, home)
    expect(await login(name, wrong, home)).toMatchObject({ reason: 'too_many_attempts' })
    expect(await login(`${name}@example.org`, wrong, home)).toMatchObject({ reason: 'invalid_credentials' })
  })
})

describe('attempts', () => {
  const owner = { ipAddress: '198.51.100.7', deviceId: 'the laptop of the owner' }
  const stranger = { ipAddress: '203.0.113.9' }

  test('under any spelling of a name are counted together', async () => {
    const spellings = [
      name,
      name.toUpperCase(),
      name.replace('u', '\uff55'),
      `${name[0]?.toUpperCase()}${name.slice(1)}`,
    ]
    for (let n = 0; n < 5; n++) await login(spellings[n % spellings.length] ?? '', wrong)
    for (const spelling of spellings)
      expect(await login(spelling, wrong)).toMatchObject({ reason: 'too_many_attempts' })
  })

  test('by strangers do not lock out who signed in from there lately', async () => {
    expect(await login(name, password, owner)).toMatchObject({ ok: true })
    for (let n = 0; n < 6; n++) await login(name, wrong, stranger)
    expect(await login(name, password, stranger)).toMatchObject({ reason: 'too_many_attempts' })
    expect(await login(name, password, owner)).toMatchObject({ ok: true })
    // Still him at home without the device, or with the device elsewhere.
    expect(await login(name, password, { ipAddress: owner.ipAddress })).toMatchObject({ ok: true })
    expect(await login(name, password, { ...owner, ipAddress: '192.0.2.200' })).toMatchObject({ ok: true })
    expect(await login(name, password, stranger), 'which frees no stranger').toMatchObject({ ok: false })
  })

  test('from a known place have an end too', async () => {
    expect(await login(name, password, owner)).toMatchObject({ ok: true })
    for (let n = 0; n < 5; n++) expect(await login(name, wrong, owner)).toMatchObject({ reason: 'invalid_credentials' })
    expect(await login(name, password, owner)).toMatchObject({ reason: 'too_many_attempts' })
  })

  test('a place that one user signed in from is no known place of another', async () => {
    await login(name, password, owner)
    await registered(`${name}-other`)
    for (let n = 0; n < 5; n++) await login(`${name}-other`, wrong, owner)
    for (let n = 0; n < 6; n++) await login(`${name}-other`, wrong, stranger)
    expect(await login(`${name}-other`, password, owner)).toMatchObject({ reason: 'too_many_attempts' })
  })

  test('start anew after a success', async () => {
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) await login(name, wrong)
      expect(await login(name, password)).toMatchObject({ ok: true })
    }
  })

  test('at many names from one address end, and successes from there do not count', async () => {
    const office = { ipAddress: '2001:db8:1:2::7' }
    for (let n = 0; n < 120; n++) {
      await stage.attempts.clear('login.known', 'none')
      expect(await login(name, password, office)).toMatchObject({ ok: true })
    }
    let tried = 0
    while (tried < 300) {
      const answer = await login(`stuffing-${tried}`, wrong, { ipAddress: `2001:db8:1:2::${tried}` })
      if (!answer.ok && answer.reason === 'too_many_attempts') break
      tried++
    }
    expect(tried).toBe(100)
    expect(await login('somebody-else', wrong, { ipAddress: '2001:db8:1:3::1' })).toMatchObject({
      reason: 'invalid_credentials',
    })
  })

  test('are no more than the budget has, however many passwords there are to try', async () => {
    const patient = await createCostStage(
      // Waits of a second, and no more than a test has patience for: the limiter is asked, not waited for.
      {
        attemptBudgets: {
          'login.account': { free: 5, within: 60, firstWait: 60, longestWait: 60, most: 5, remembered: 3_600 },
        },
      },
      stage.node,
    )
    const { work } = await patient.costOf(async () => {
      for (let n = 0; n < 1_000; n++) await patient.accounts.login({ login: name, password: `${wrong} ${n}` })
    })
    expect(work.filter(step => step.startsWith('hash'))).toHaveLength(5)
  })
})

describe('a hash', () => {
  test('under older parameters is made anew by the next login', async () => {
    await withHash(`${name}-legacy`, await createPasswordHasher({ cost: { m: 256, t: 2, p: 1 } }).hash(password))
    const session = await login(`${name}-legacy`, password)
    if (!session.ok) return expect.unreachable(session.detail)
    const hashOf = async () => {
      const { context } = await stage.node.actor('user', session.userId).state()
      return (context['row'] as { password_hash: string }).password_hash
    }
    expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$/)
    expect(await hashOf()).not.toContain(LEGACY)
    const again = await stage.costOf(() => login(`${name}-legacy`, password))
    expect(again.answer).toMatchObject({ ok: true })
    expect(again.work).not.toContain('send user.password.rehashed')
  })

  test('of a password that was changed meanwhile is not written again, and opens nothing', async () => {
    await withHash(`${name}-legacy`, await createPasswordHasher({ cost: { m: 256, t: 2, p: 1 } }).hash(password))
    const holder = await stage.node.log.holderOf({ kind: 'user.username', key: `${name}-legacy` })
    const actor = stage.node.actor('user', holder?.id ?? 0)
    const under = login(`${name}-legacy`, password)
    await actor.send({ type: 'user.password.changed', passwordHash: 'the new one' })
    expect(await under).toMatchObject({ ok: false, reason: 'invalid_credentials' })
    const { context } = await actor.state()
    expect(context).toMatchObject({ row: { password_hash: 'the new one' }, sessions: [] })
  })
})

test('what the queue refuses as overloaded was no attempt', async () => {
  const narrow = await createCostStage({ passwordHashing: { atOnce: 1, mostWaiting: 1, legacy: false } }, stage.node)
  const crowd = Array.from({ length: 10 }, () => narrow.accounts.login({ login: 'crowd', password }))
  const answers = await Promise.allSettled(crowd)
  const refused = answers.filter(answer => answer.status === 'rejected')
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'overloaded', retryable: true })
  expect(refused.length).toBeGreaterThan(0)
  let tried = answers.filter(
    answer => answer.status === 'fulfilled' && reasonOf(answer.value) === 'invalid_credentials',
  ).length
  while (tried < 20 && reasonOf(await narrow.accounts.login({ login: 'crowd', password })) === 'invalid_credentials')
    tried++
  expect(tried).toBe(5)
})
