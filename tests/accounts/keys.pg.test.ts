/** The key ring of a log: the same on all nodes, rotated with everything that is sealed under it, and kept as long as it is needed. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeyKeeper, type SealedRecords } from '../../src/auth/key-keeper.ts'
import { createKeyRing } from '../../src/auth/key-ring.ts'
import { writeKeyFile } from '../../src/auth/key-source.ts'
import { formatKey, newKey, parseKeys } from '../../src/auth/key-text.ts'
import { createNode, type NodeOptions, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { createStillClock, STEP_MS } from './still-clock.ts'

const clock = createStillClock()
let database: TestDatabase
let folder: string
let open: RuntimeNode[]
beforeEach(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('ring')
  open = []
})
afterEach(async () => {
  await Promise.all(open.map(node => node.close()))
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

const start = async (options: NodeOptions = {}) => {
  const node = await createNode({ database: database.url, log: silentLogger, clock, ...options })
  open.push(node)
  return node
}
const stop = async (node: RuntimeNode) => {
  open.splice(open.indexOf(node), 1)
  await node.close()
}
const home = (name: string) => path.join(folder, name)
const ringIn = (name: string) => parseKeys(readFileSync(path.join(home(name), 'keys'), 'utf8'), name)
const text = (...keys: ReturnType<typeof newKey>[]) => ({ kind: 'text', text: keys.map(formatKey).join() }) as const

const enrolled = async (node: RuntimeNode, username: string) => {
  granted(await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
  const { token } = granted(await node.accounts.login({ login: username, password: PASSWORD }))
  const { secret } = granted(await node.accounts.enrolTotp(token))
  granted(await node.accounts.confirmTotp(token, codeOf(secret, clock.now() - STEP_MS)))
  return secret
}
const shows = async (node: RuntimeNode, username: string, secret: string) => {
  const { token } = granted(await node.accounts.login({ login: username, password: PASSWORD }))
  return node.accounts.verifyFactor(token, { method: 'totp', code: codeOf(secret, clock.now()) })
}
const sql = async (query: string) => {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { rows } = await client.query(query)
  await client.end()
  return rows
}

describe('a node without a key ring', () => {
  test('makes one that its owner alone can read, warns in log and health, and has it again at the next start', async () => {
    const log = createRecordingLog()
    const node = await start({ home: home('a'), log })
    const file = path.join(home('a'), 'keys')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(log.lines.filter(({ message }) => message.includes(file))).toHaveLength(1)
    const [key] = ringIn('a')
    expect((await node.health()).components.keys).toEqual({
      status: 'ok',
      detail: { source: file, keys: [key?.id], warnings: [expect.stringContaining('keep a copy')] },
    })
    expect(JSON.stringify([log.lines, await node.health()])).not.toContain(formatKey(key as never).split(':')[1])
    const secret = await enrolled(node, 'ada')
    await stop(node)
    expect(await shows(await start({ home: home('a') }), 'ada', secret)).toMatchObject({ ok: true })
  })

  test('does not start on a log that has another, says which key it needs, and leaves no file', async () => {
    await start({ home: home('a') })
    const [key] = ringIn('a')
    await expect(start({ home: home('b') })).rejects.toMatchObject({
      code: 'setup_failed',
      message: expect.stringContaining(`'${key?.id}'`),
    })
    expect(existsSync(path.join(home('b'), 'keys'))).toBe(false)
  })

  test('four of one home that start at once make one', async () => {
    const nodes = await Promise.all(
      ['a', 'b', 'c', 'd'].map(name =>
        start({ name, database: database.url, keys: { kind: 'own_file', file: path.join(folder, 'keys') } }),
      ),
    )
    expect(new Set(nodes.map(node => node.keys.status().keys.join())).size).toBe(1)
  })
})

describe('a ring that is not that of the log', () => {
  const [first, second] = [newKey(0), newKey(0)]

  test.each([
    ['lacks a key', text(second), /lacks the key/],
    ['has another key under its name', text({ id: first.id, key: second.key }), /is another one/],
  ])('because it %s is refused at the start', async (_, keys, why) => {
    await start({ keys: text(first) })
    await expect(start({ keys })).rejects.toMatchObject({
      code: 'setup_failed',
      message: expect.stringMatching(why),
    })
    await start({ keys: text(second, first) })
  })

  test('but was, before another node got a new key, names the key it lacks', async () => {
    const reader = await start({ keys: text(first), name: 'old' })
    const writer = await start({ keys: text(second, first), name: 'new' })
    const secret = await enrolled(writer, 'ada')
    await expect(shows(reader, 'ada', secret)).rejects.toMatchObject({
      code: 'corrupt_data',
      message: expect.stringMatching(new RegExp(`needs the key '${second.id}'.* has ${first.id}`)),
    })
    expect(await reader.keys.list()).toEqual([
      { id: first.id, role: 'seals', records: 1 },
      { id: second.id, role: 'missing', records: 2 },
    ])
    expect((await reader.health()).components.keys).toMatchObject({
      status: 'degraded',
      detail: { missing: [second.id] },
    })
    expect(await shows(writer, 'ada', secret)).toMatchObject({ ok: true })
  })
})

describe('rotation', () => {
  test('makes a new key, seals everything under it while another node runs, and lets the old one go', async () => {
    const keys = { kind: 'own_file', file: path.join(folder, 'keys') } as const
    const [node, other] = [await start({ keys, name: 'a' }), await start({ keys, name: 'b' })]
    const [old] = parseKeys(readFileSync(keys.file, 'utf8'), '')
    const secrets = { ada: await enrolled(node, 'ada'), bob: await enrolled(other, 'bob') }
    const done = await node.keys.rotate()
    expect(done).toMatchObject({ added: true, resealed: 5 })
    expect(await node.keys.list()).toEqual([
      { id: done.key, role: 'seals', records: 5 },
      { id: old?.id, role: 'opens', records: 0 },
    ])
    expect(await shows(other, 'ada', secrets.ada)).toMatchObject({ ok: true })
    await enrolled(other, 'eve')
    await node.keys.drop(old?.id ?? '')
    expect(parseKeys(readFileSync(keys.file, 'utf8'), '').map(({ id }) => id)).toEqual([done.key])
    expect(await node.keys.list()).toEqual([{ id: done.key, role: 'seals', records: 7 }])
    await Promise.all([stop(node), stop(other)])
    const again = await start({ keys })
    expect(await shows(again, 'bob', secrets.bob)).toMatchObject({ ok: true })
    const rows = await sql("select split_part(secret, '.', 2) as key from user_mfa where secret <> ''")
    expect(rows).toEqual(Array(3).fill({ key: done.key }))
  })

  test('that was broken off goes on where it was, with the same key, and until then all keys are needed', async () => {
    const file = path.join(folder, 'keys')
    const node = await start({ keys: { kind: 'own_file', file } })
    const [old] = parseKeys(readFileSync(file, 'utf8'), '')
    const secret = await enrolled(node, 'ada')
    for (const name of ['bob', 'eve']) await enrolled(node, name)
    // As if it was killed when the key was in the file and one record sealed.
    const young = newKey(Date.now())
    writeKeyFile(file, [young, old as never], true)
    expect(node.keys.status().keys).toEqual([young.id, old?.id])
    const [{ id }] = await sql("select id from user_mfa where method = 'totp' order by id limit 1")
    const sealed = createKeyRing([young]).seal(secret, `factor/${id}/secret`)
    await node.actor('factor', id).send({ type: 'factor.resealed', secret: sealed })
    await expect(node.keys.drop(old?.id ?? '')).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/^6 records/),
    })
    await expect(node.keys.drop(young.id)).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(node.keys.drop('unheard')).rejects.toMatchObject({ code: 'not_found' })
    const progress: number[] = []
    expect(await node.keys.rotate(resealed => progress.push(resealed))).toEqual({
      key: young.id,
      added: false,
      resealed: 6,
    })
    expect(progress.at(-1)).toBe(6)
    expect(await shows(node, 'ada', secret)).toMatchObject({ ok: true })
    await node.keys.drop(old?.id ?? '')
  })

  test('of a ring that is kept elsewhere makes no key, and seals under the first one once it is new', async () => {
    const [old, young] = [newKey(0), newKey(0)]
    const node = await start({ keys: text(old) })
    const secret = await enrolled(node, 'ada')
    await expect(node.keys.rotate()).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('ROOTSTREAM_KEYS'),
    })
    await stop(node)
    const next = await start({ keys: text(young, old) })
    expect(await next.keys.rotate()).toEqual({ key: young.id, added: false, resealed: 3 })
    await stop(next)
    expect(await shows(await start({ keys: text(young) }), 'ada', secret)).toMatchObject({ ok: true })
  })

  test('is done by one at a time', async () => {
    const keys = { kind: 'own_file', file: path.join(folder, 'keys') } as const
    const [node, other] = [await start({ keys, name: 'a' }), await start({ keys, name: 'b' })]
    await enrolled(node, 'ada')
    const outcomes = await Promise.allSettled([node.keys.rotate(), node.keys.rotate(), other.keys.rotate()])
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict', retryable: true })
    expect(await node.keys.list()).toMatchObject([
      { role: 'seals', records: 3 },
      ...Array(node.keys.status().keys.length - 1).fill({ records: 0 }),
    ])
  })

  test('that another node outruns says so, and can be run again', async () => {
    const file = path.join(folder, 'keys')
    const [young, old] = [newKey(0), newKey(0)]
    writeKeyFile(file, [young, old], false)
    const node = await start({ keys: { kind: 'file', file } })
    let left = 2
    const late: SealedRecords = {
      uses: async () => new Map([[old.id, left]]),
      reseal: async () => {
        left--
        return 1
      },
    }
    const ring = { keyIds: () => [young.id, old.id] as const } as never
    const keeper = createKeyKeeper({
      opened: { ring, file, source: file, warnings: [] },
      records: [late],
      clock: systemClock,
      alone: work => node.actors.withLease('test', 10_000, work),
    })
    await expect(keeper.rotate()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('1 records'),
    })
    expect(await keeper.rotate()).toMatchObject({ added: false, resealed: 1 })
  })
})
