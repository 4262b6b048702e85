/** `rootstream keys` and `rootstream users reset-mfa` as an operator uses them, also where they are killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createKeyRing } from '../../src/auth/key-ring.ts'
import { writeKeyFile } from '../../src/auth/key-source.ts'
import { newKey, parseKeys } from '../../src/auth/key-text.ts'
import { createNode, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { runCli, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { granted, PASSWORD } from './granted.ts'

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts')

let database: TestDatabase
let folder: string
let file: string
beforeEach(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('keys-cli')
  file = path.join(folder, 'ring')
})
afterEach(async () => {
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

const environment = () => ({
  DATABASE_URL: database.url,
  REDIS_URL: '',
  ROOTSTREAM_HOME: path.join(folder, 'home'),
  ROOTSTREAM_KEYS: '',
  ROOTSTREAM_KEY_FILE: file,
})
const cli = (...args: string[]) => runCli(args, environment())
const json = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as Record<string, unknown>
const ring = () => parseKeys(readFileSync(file, 'utf8'), file)

async function withNode<Result>(work: (node: RuntimeNode) => Promise<Result>): Promise<Result> {
  const node = await createNode({ database: database.url, keys: { kind: 'file', file }, log: silentLogger })
  try {
    return await work(node)
  } finally {
    await node.close()
  }
}

/** Of each of so many users three, as if they had enrolled them; each user has a key of its own, too. */
async function enrolMany(node: RuntimeNode, users: number) {
  const keys = createKeyRing(ring())
  await Promise.all(
    Array.from({ length: users }, async (_, index) => {
      const user = await node.create('user', {
        type: 'user.registered',
        username: `user-${index}`,
        email: `user-${index}@example.org`,
        passwordHash: 'x',
      })
      for (const method of ['totp', 'email', 'sms']) {
        const id = await node.log.nextId('factor')
        const secret = keys.seal(`secret ${id}`, `factor/${id}/secret`)
        await node.actor('factor', id).send({ type: 'factor.enrolled', userId: user.actor.id, method, secret })
      }
    }),
  )
}

test('keys are generated, listed, rotated, and dropped when nothing needs them', async () => {
  const generated = json(await cli('keys', 'generate', '--json'))
  writeKeyFile(file, parseKeys(String(generated['key']), ''), false)
  const [old] = ring()
  await withNode(node => enrolMany(node, 2))
  const listed = await cli('keys', 'list')
  expect(listed.stdout.split('\n')[1]).toMatch(new RegExp(`^${old?.id} +seals +9$`))
  expect(await cli('keys', 'drop', old?.id ?? '')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Rotate first'),
  })
  const rotated = await cli('keys', 'rotate')
  const [young] = ring()
  expect(rotated).toMatchObject({ code: 0, stderr: '' })
  expect(rotated.stdout).toContain(
    `A new key was made. Everything is sealed under '${young?.id}': 9 records were sealed anew.`,
  )
  expect(rotated.stdout).toContain(`rootstream keys drop ${old?.id}`)
  expect(await cli('keys', 'drop', old?.id ?? '')).toMatchObject({ code: 0 })
  expect(ring()).toEqual([young])
  expect(json(await cli('keys', 'list', '--json'))).toEqual({
    source: file,
    keys: [{ id: young?.id, role: 'seals', records: 9 }],
  })
  const shown = [listed, rotated].map(({ stdout, stderr }) => stdout + stderr).join()
  for (const { key } of [old, young].flatMap(key => key ?? [])) expect(shown).not.toContain(key.toString('base64url'))
})

test('a rotation that is killed half way leaves everything readable, and the next one ends it', async () => {
  const old = newKey(0)
  writeKeyFile(file, [old], false)
  await withNode(node => enrolMany(node, 600))
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const resealed = async () => {
    const { rows } = await client.query("select count(*)::int as count from events where type = 'factor.resealed'")
    return rows[0].count as number
  }
  const child = spawn(process.execPath, [MAIN, 'keys', 'rotate'], {
    env: { ...process.env, ...environment() },
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  while ((await resealed()) === 0 && child.exitCode === null) await new Promise(resolve => setImmediate(resolve))
  child.kill('SIGKILL')
  await ended
  const half = await resealed()
  expect(half).toBeGreaterThan(0)
  expect(half).toBeLessThan(1_800)
  const [young] = ring()
  expect(ring()).toEqual([young, old])
  // The turn of the one that was killed ends by itself.
  let again = await cli('keys', 'rotate', '--json')
  while (again.stderr.includes('"conflict"')) again = await cli('keys', 'rotate', '--json')
  const done = json(again)
  expect(done).toEqual({ key: young?.id, added: false, resealed: 2_401 - half, droppable: [old.id] })
  expect(await resealed()).toBe(1_800)
  expect(await cli('keys', 'drop', old.id)).toMatchObject({ code: 0 })
  const keys = createKeyRing(ring())
  const { rows } = await client.query('select id, secret from user_mfa')
  expect(rows).toHaveLength(1_800)
  for (const { id, secret } of rows) expect(keys.open(secret, `factor/${id}/secret`)).toBe(`secret ${id}`)
  await client.end()
})

test('a node starts with a warning where it makes its own ring, and not where its ring is another or too open', async () => {
  const env = { ...environment(), ROOTSTREAM_KEY_FILE: '', ROOTSTREAM_HTTP_PORT: '0', LOG_LEVEL: 'warn' }
  const node = await startNodeProcess(env)
  await node.stop()
  const own = path.join(folder, 'home', 'keys')
  expect((await node.ended).stderr).toContain(own)
  const [key] = parseKeys(readFileSync(own, 'utf8'), own)
  expect((await node.ended).stderr).not.toContain(key?.key.toString('base64url'))
  const start = (extra: Record<string, string>) => runCli(['start', '--json'], { ...env, ...extra })
  const refused = await start({ ROOTSTREAM_HOME: path.join(folder, 'other') })
  expect(refused).toMatchObject({ code: 13, stderr: expect.stringContaining(key?.id ?? '') })
  const program = JSON.stringify([
    process.execPath,
    '-p',
    `require('node:fs').readFileSync(${JSON.stringify(own)}, 'utf8')`,
  ])
  expect(json(await runCli(['keys', 'list', '--json'], { ...env, ROOTSTREAM_KEY_COMMAND: program }))).toMatchObject({
    source: 'ROOTSTREAM_KEY_COMMAND',
    keys: [{ id: key?.id }],
  })
})

test('the factors of a user are reset', async () => {
  writeKeyFile(file, [newKey(0)], false)
  const userId = await withNode(async node => {
    const registered = granted(
      await node.accounts.register({ username: 'ada', email: 'ada@example.org', password: PASSWORD }),
    )
    await node.accounts.enrolTotp(granted(await node.accounts.login({ login: 'ada', password: PASSWORD })).token)
    return registered.userId
  })
  expect(await cli('users', 'reset-mfa', '99')).toMatchObject({ code: 4 })
  expect(await cli('users', 'reset-mfa', 'ada')).toMatchObject({ code: 2 })
  expect(json(await cli('users', 'reset-mfa', String(userId), '--json'))).toEqual({ user: userId, removed: 1 })
  expect(json(await cli('users', 'reset-mfa', String(userId), '--json'))).toEqual({ user: userId, removed: 0 })
  await withNode(async node => expect(await node.accounts.factors(userId)).toEqual([]))
})
