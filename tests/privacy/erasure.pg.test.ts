/** A user with a mark in every personal field is erased: the mark is nowhere, and the log is as sound as before. */
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkHistory } from '../../src/actors/replay.ts'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { sealLog } from '../../src/audit/seal-log.ts'
import { createPool, type Pool } from '../../src/eventstore/pool.ts'
import { createPgSealedLog } from '../../src/eventstore/sealed-log.ts'
import { createInProcessHub } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { databaseText } from '../support/database-text.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { CANARY_MARKS, letLoose, password } from './canary.ts'

let database: TestDatabase
let log: RecordingLog
let options: NodeOptions
let node: RuntimeNode
let other: RuntimeNode
let pool: Pool
beforeEach(async () => {
  database = await createTestDatabase()
  log = createRecordingLog()
  options = { database: database.url, log, hub: createInProcessHub(), keys: TEST_KEYS }
  node = await createNode({ ...options, name: 'a' })
  other = await createNode({ ...options, name: 'b' })
  pool = createPool({ url: database.url, log: silentLogger, size: 2 })
})
afterEach(async () => {
  await Promise.all([node.close(), other.close()])
  await pool.end()
  await database.drop()
})

const marks = (text: string) => text.split('\n').filter(line => CANARY_MARKS.some(mark => line.includes(mark)))

/** Replay, rebuild and the seals find nothing. */
async function expectSound(): Promise<void> {
  await node.projections.caughtUp()
  expect(await checkHistory({ store: node.log, entities })).toMatchObject({ drifted: 0, wrongSnapshots: [] })
  const report = await rebuild({ store: node.log, pool, entities, log: silentLogger, verifyOnly: true })
  expect(report.tables.filter(({ missing, extra, different }) => missing + extra + different > 0)).toEqual([])
  expect(report.failures).toBe(0)
  await sealLog({ log: createPgSealedLog(pool), clock: systemClock })
  expect(await node.audit.verify()).toMatchObject({ ok: true, findings: [] })
}

async function erased(userId: number, on = node): Promise<void> {
  expect(await on.accounts.administration.erase(userId, { by: 999 })).toMatchObject({ ok: true, done: true })
}

describe('erasing a user', { timeout: 120_000 }, () => {
  test('the log never has personal data in the clear; read tables and claims have it until the erasure', async () => {
    await letLoose(node)
    await node.projections.caughtUp()
    expect(marks(await databaseText(database.url, ['events', 'actor_snapshots', 'timers', 'personal_keys']))).toEqual(
      [],
    )
    const tables = marks(await databaseText(database.url)).map(line => line.split(' ')[0])
    for (const table of ['users', 'sessions', 'user_mfa', 'mfa_attempts', 'trusted_devices', 'claims'])
      expect(tables).toContain(`public.${table}`)
    expect((await pool.query('select count(*)::int as n from actor_snapshots')).rows).toEqual([{ n: 1 }])
    await expectSound()
  })

  test('leaves no mark in the database, in what nodes say, or in what they log, and a sound log', async () => {
    await sealLog({ log: createPgSealedLog(pool), clock: systemClock })
    const { userId, sessionIds, token } = await letLoose(node)
    await sealLog({ log: createPgSealedLog(pool), clock: systemClock })
    // Both have it in memory.
    expect(await other.accounts.validate(token)).toMatchObject({ ok: false, reason: 'factor_required' })
    expect((await other.actor('user', userId).state()).context).toMatchObject({ row: { username: 'canary-name' } })
    const before = (await Array.fromAsync(node.log.readStream(node.actor('user', userId).ref))).flat()

    await erased(userId)
    await node.projections.caughtUp()
    expect(marks(await databaseText(database.url))).toEqual([])
    expect(marks(JSON.stringify(log.lines))).toEqual([])
    for (const asked of [other, node]) {
      const user = await asked.actor('user', userId).state()
      expect(user).toMatchObject({ state: 'erased', context: { row: null } })
      const [first] = (await Array.fromAsync(asked.log.readStream(user.ref))).flat()
      expect(first?.data).toEqual({
        username: `erased-${userId}`,
        email: `erased-${userId}@erased.invalid`,
        displayName: null,
        passwordHash: 'erased',
      })
      for (const id of sessionIds)
        expect(await asked.actor('session', id).state()).toMatchObject({
          state: 'revoked',
          context: { row: { ip_address: null, user_agent: null, device_id: null, geo_location: null } },
        })
      expect(await asked.accounts.validate(token)).toMatchObject({ ok: false, reason: 'invalid_session' })
      expect(marks(JSON.stringify(await asked.log.readAll(0, 5_000)))).toEqual([])
      expect(marks(JSON.stringify(await asked.log.audit({ userId, limit: 1_000 })))).toEqual([])
      expect(marks(JSON.stringify(await asked.actor('user', userId).stateAt({ version: 3 })))).toEqual([])
    }
    await expectSound()
    await rebuild({ store: node.log, pool, entities, log: silentLogger, fresh: true })
    expect(marks(await databaseText(database.url))).toEqual([])

    // What was done under the id is told as before, and who erased it.
    const after = (await Array.fromAsync(node.log.readStream(node.actor('user', userId).ref))).flat()
    const told = ({ position, type, at, version, ...event }: (typeof after)[number]) => [
      position,
      type,
      at,
      version,
      event.userId,
    ]
    expect(after.slice(0, before.length).map(told)).toEqual(before.map(told))
    expect((await node.log.audit({ userId: 999 })).events.map(({ type }) => type)).toEqual(['user.erased'])
  })

  test('a command that is sent again after it is the one that was taken, though it can be compared no more', async () => {
    const registered = { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' }
    const first = await node.create('user', registered, { commandId: 'register-ada' })
    if (!first.ok) return expect.unreachable()
    await erased(first.actor.id)
    expect(await other.create('user', registered, { commandId: 'register-ada' })).toMatchObject({
      repeated: true,
      actor: first.actor,
      event: { erased: true, data: { username: `erased-${first.actor.id}` } },
    })
  })

  test('frees the names; the next user of them is another', async () => {
    const { userId } = await letLoose(node)
    await erased(userId)
    const again = await other.accounts.register({ username: 'canary-name', email: 'canary-mail@example.org', password })
    expect(again).toMatchObject({ ok: true })
    expect(again).not.toMatchObject({ userId })
  })

  test('leaves others as they are', async () => {
    const { userId } = await letLoose(node)
    const bystander = await letLoose(node, 'bystander')
    await erased(userId)
    expect((await other.actor('user', bystander.userId).state()).context).toMatchObject({
      row: { username: 'bystander-name' },
    })
    await expectSound()
  })

  test('of a user who was deleted before, of nobody, and once more', async () => {
    const { userId } = await letLoose(node)
    await node.actor('user', userId).send({ type: 'user.deleted' })
    await erased(userId, other)
    await erased(userId)
    await node.projections.caughtUp()
    expect(marks(await databaseText(database.url))).toEqual([])
    await expect(node.accounts.administration.erase(9_999)).rejects.toMatchObject({ code: 'not_found' })
    await expectSound()
  })

  test('asked for on both nodes at once it is one; of two administrators who go at once, one stays', async () => {
    const { userId } = await letLoose(node)
    const both = await Promise.all([node, other].map(asked => asked.accounts.administration.erase(userId)))
    for (const answer of both) expect(answer).toMatchObject({ ok: true, done: true })
    const history = (await Array.fromAsync(node.log.readStream(node.actor('user', userId).ref))).flat()
    expect(history.filter(({ type }) => type === 'user.erased')).toHaveLength(1)
    expect(history.filter(({ type }) => type === 'user.forgotten')).toHaveLength(1)

    const admins = await Promise.all(
      ['eve', 'bob'].map(async username => {
        const registered = await node.accounts.register({ username, email: `${username}@example.org`, password })
        if (!registered.ok) throw new Error(registered.detail)
        await node.accounts.administration.setRoles(registered.userId, ['admin'])
        return registered.userId
      }),
    )
    const gone = await Promise.all(
      [node, other].map((asked, index) => asked.accounts.administration.erase(admins[index] ?? 0)),
    )
    expect(gone.filter(({ ok }) => ok)).toHaveLength(1)
    expect(gone.filter(({ ok }) => !ok)).toMatchObject([{ reason: 'last_admin' }])
  })

  test('the copies of a rebuild that was interrupted do not outlive it', async () => {
    const { userId } = await letLoose(node)
    await node.projections.caughtUp()
    const options = { store: node.log, pool, entities, log: silentLogger }
    let last = 0
    await rebuild({ ...options, verifyOnly: true, onProgress: () => void last++ })
    const stopped = rebuild({
      ...options,
      onProgress: () => {
        if (--last === 0) throw new Error('killed')
      },
    })
    await expect(stopped).rejects.toThrow('killed')
    const copies = async () => marks(await databaseText(database.url)).filter(line => line.includes('rebuild'))
    expect(await copies()).not.toEqual([])
    await erased(userId)
    await node.projections.caughtUp()
    expect(await copies()).toEqual([])
    expect(marks(await databaseText(database.url))).toEqual([])
    await expectSound()
  })

  test('a key ring that is kept brings nothing back: the key is gone, and nobody gets another under that id', async () => {
    const { userId } = await letLoose(node)
    await erased(userId)
    const { rows } = await pool.query(
      'select wrapped, destroyed_at is not null as gone from personal_keys where user_id = $1',
      [userId],
    )
    expect(rows).toEqual([{ wrapped: null, gone: true }])
    const late = await createNode({ ...options, name: 'c' })
    try {
      const history = (await Array.fromAsync(late.log.readStream(late.actor('user', userId).ref))).flat()
      expect(history.length).toBeGreaterThan(100)
      expect(marks(JSON.stringify(history))).toEqual([])
    } finally {
      await late.close()
    }
  })
})

test('a key whose row is gone is no erasure: nothing is read as one, and the tables keep what they have', async () => {
  const { userId } = await letLoose(node)
  await node.projections.caughtUp()
  const { rows: before } = await pool.query('select username, email from users where id = $1', [userId])
  await pool.query('delete from personal_keys where user_id = $1', [userId])
  const late = await createNode({ ...options, name: 'c', log: silentLogger })
  try {
    await expect(late.actor('user', userId).state()).rejects.toMatchObject({
      code: 'corrupt_data',
      message: expect.stringContaining(`user ${userId} in personal_keys is missing`),
    })
    expect((await pool.query('select username, email from users where id = $1', [userId])).rows).toEqual(before)
  } finally {
    await late.close()
  }
})

describe('what was written before the log sealed personal data', { timeout: 60_000 }, () => {
  /** Events as an earlier release wrote them. */
  async function unsealed(): Promise<number> {
    const { userId } = await letLoose(node)
    for (const { ref } of [node.actor('user', userId), ...(await sessionsOf(userId))])
      for (const { position, data } of (await Array.fromAsync(node.log.readStream(ref))).flat())
        await rewrite(position, data)
    const { rows } = await pool.query("select actor_id, version from actor_snapshots where actor_type = 'user'")
    for (const { actor_id: id, version } of rows) {
      const { state: value, context } = await node.actor('user', Number(id)).stateAt({ version })
      await pool.query("update actor_snapshots set state = $2 where actor_type = 'user' and actor_id = $1", [
        id,
        { value, context },
      ])
    }
    expect(rows).toHaveLength(1)
    await pool.query('delete from personal_keys')
    return userId
  }
  const sessionsOf = async (userId: number) => {
    await node.projections.caughtUp()
    return (await node.projections.find('sessions', 'user_id', userId)).map(id => node.actor('session', id))
  }
  const rewrite = async (position: number, data: object) => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query("set rootstream.rewrite_history = 'on'")
    await client.query('update events set data = $2 where position = $1', [position, data])
    await client.end()
  }

  test('is read as it is, and an erasure is refused for it and says so', async () => {
    const userId = await unsealed()
    expect(await other.accounts.administration.erase(userId)).toMatchObject({ ok: false, reason: 'in_the_clear' })
    expect((await other.actor('user', userId).state()).state).toBe('active')
  })

  test('is sealed where it stands where that is asked for; a verification names it as changed', async () => {
    const userId = await unsealed()
    await sealLog({ log: createPgSealedLog(pool), clock: systemClock })
    const result = await node.accounts.administration.erase(userId, { rewriteClear: true })
    expect(result).toMatchObject({ ok: true, done: true })
    await node.projections.caughtUp()
    const tables = ['events', 'users', 'sessions', 'claims', 'actor_snapshots']
    expect(marks(await databaseText(database.url, tables))).toEqual([])
    if (!result.ok) return expect.unreachable(result.detail)
    expect(result.rewritten).toBeGreaterThan(100)
    const { findings } = await node.audit.verify()
    const changed = findings.reduce((sum, finding) => sum + (finding.changed ?? 0), 0)
    expect(changed).toBe(result.rewritten)
    for (const finding of findings) expect(finding).toMatchObject({ kind: 'event_changed', removed: 0, inserted: 0 })
    expect(await checkHistory({ store: node.log, entities })).toMatchObject({ drifted: 0 })
  })
})
