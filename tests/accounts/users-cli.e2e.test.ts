/** The accounts of an installation from the command line, beside a node that runs on it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { PASSWORD, signIn } from '../support/accounts.ts'
import { type CliResult, runCli } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'

let database: TestDatabase
let node: RuntimeNode
beforeAll(async () => {
  database = await createTestDatabase()
  node = await createNode({ keys: TEST_KEYS, database: database.url, name: 'running', log: silentLogger })
})
afterAll(async () => {
  await node.close()
  await database.drop()
})

const users = (args: string[], input?: string) =>
  runCli(['users', ...args], { DATABASE_URL: database.url, REDIS_URL: '' }, input === undefined ? {} : { input })
const json = ({ stdout }: CliResult) => JSON.parse(stdout) as Record<string, unknown>

test('the first administrator is made with a password from standard input, and looked after', async () => {
  const created = await users(
    ['create', 'ada', '--email', 'ada@example.org', '--role', 'admin', '--json'],
    `${PASSWORD}\nnot this`,
  )
  expect(created, created.stderr).toMatchObject({ code: 0 })
  expect(json(created)).toMatchObject({ id: 1, username: 'ada', roles: ['admin'], state: 'active' })
  const session = await signIn(node, 'ada')

  const listed = await users(['list'])
  expect(listed.stdout).toMatch(/^id\s+username\s+email.*\n1\s+ada\s+ada@example\.org\s+active\s+admin\s+1\s/)
  expect(json(await users(['show', '1', '--json']))).toMatchObject({ id: 1, openSessions: 1 })
  expect(json(await users(['sessions', '1', '--json']))).toMatchObject([{ id: session.sessionId }])

  expect(json(await users(['revoke', '1', '--reason', 'test', '--json']))).toMatchObject({ ended: 1 })
  // Another process without Redis: the node hears of it by the log alone, within the bound.
  await eventually(async () =>
    expect(await node.accounts.validate(session.token)).toMatchObject({ ok: false, reason: 'invalid_session' }),
  )

  const refused = await users(['deactivate', '1', '--json'])
  expect(refused.code).toBe(5)
  expect(json(refused)).toMatchObject({ ok: false, reason: 'last_admin' })
  const { events } = await node.log.audit({ type: 'user.sessions.ended' })
  expect(events).toMatchObject([{ userId: null, data: { reason: 'test' } }])
})

test('roles, out of use and back', async () => {
  const created = await users(['create', 'bob', '--email', 'bob@example.org', '--json'], `${PASSWORD}\n`)
  const id = String(json(created)['id'])
  expect(json(await users(['roles', id, 'operator', 'viewer', '--json']))).toMatchObject({
    roles: ['operator', 'viewer'],
  })
  expect(await users(['deactivate', id, '--reason', 'left'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is deactivated'),
  })
  expect(json(await users(['reactivate', id, '--json']))).toMatchObject({ state: 'active' })
  expect(await users(['reactivate', id])).toMatchObject({
    code: 5,
    stdout: expect.stringContaining('Nothing was changed.'),
  })
})

test.each<[string[], number, string]>([
  [['show', '99'], 4, 'no user 99'],
  [['show', '1e3'], 2, 'whole number'],
  [['show', '--file=/x'], 2, 'unknown option'],
  [['roles', '1', 'root'], 2, 'Roles are'],
  [['create', 'eve', '--email', 'eve@example.org'], 2, 'no password'],
  [['create', 'eve', '--email', 'no address'], 2, 'email'],
  [['create', 'eve', '--email', 'eve@example.org', '--password', 'x'], 2, 'unknown option'],
])('%j is refused with exit code %i', async (args, code, reason) => {
  const answer = await users(args, args.includes('no address') ? `${PASSWORD}\n` : '')
  expect(answer).toMatchObject({ code, stderr: expect.stringContaining(reason) })
  expect(answer.stderr).not.toContain(PASSWORD)
})
