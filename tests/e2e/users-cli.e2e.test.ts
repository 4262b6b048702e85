/** `rootstream users create`: the first administrator, whose password is in no argument and in no output. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { runCli } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const password = 'correct horse battery staple'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const create = (args: readonly string[], input: string) =>
  runCli(['users', 'create', ...args], { DATABASE_URL: database.url }, { input })

test('makes an administrator who can sign in, of a password on standard input', async () => {
  const made = await create(['ada', 'ada@example.org', '--admin', '--json'], `${password}\n`)
  expect(made, made.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"role":"admin"') })
  expect(made.stdout + made.stderr).not.toContain(password)
  const node = await createNode({ database: database.url, name: 'test', log: silentLogger })
  try {
    const session = await node.accounts.login({ login: 'ada', password })
    if (!session.ok || session.pending) return expect.unreachable('signed in')
    expect(await node.accounts.validate(session.token)).toMatchObject({ ok: true, roles: ['admin'] })
  } finally {
    await node.close()
  }
})

test.each([
  ['a password that is too short', ['bob', 'bob@example.org'], 'short\n', 'has 5 characters'],
  ['no password', ['bob', 'bob@example.org'], '', 'no password on standard input'],
  ['a name that is taken', ['ADA', 'other@example.org'], password, 'in use'],
  ['a name that looks like one', ['\u0430\u0501\u0430', 'other@example.org'], password, 'in use'],
  ['a name of two scripts', ['\u0430da', 'other@example.org'], password, 'one script'],
  ['what is no address', ['bob', 'bob'], password, 'email'],
])('refuses %s and says why', async (_what, args, input, why) => {
  const refused = await create(args, input)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain(why)
  expect(refused.stdout).toBe('')
})
