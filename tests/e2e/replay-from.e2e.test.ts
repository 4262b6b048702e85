/** An old log checked with new code before a deploy, and two versions of an actor compared: as a user does it. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { createNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { defineEntity } from '../../src/machines/define.ts'
import { user } from '../../src/machines/user/index.ts'
import { type CliResult, runCli } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'

/** Code in which a deactivated user came back by being verified: today's machine refuses that. */
const { deactivated, ...states } = user.machine.config.states ?? {}
const oldUser = defineEntity({
  ...user,
  machine: createMachine({
    ...user.machine.config,
    states: { ...states, deactivated: { on: { ...(deactivated?.on ?? {}), 'user.verified': 'active' } } },
  } as never),
})

let old: TestDatabase
let client: pg.Client
beforeAll(async () => {
  old = await createTestDatabase()
  client = new pg.Client({ connectionString: old.url })
  await client.connect()
  const node = await createNode({
    database: old.url,
    name: 'old',
    entities: [oldUser],
    keys: TEST_KEYS,
    log: silentLogger,
  })
  for (const username of ['ada', 'bob', 'cyd'])
    await node.create('user', {
      type: 'user.registered',
      username,
      email: `${username}@example.org`,
      passwordHash: 'x',
    })
  await node.actor('user', 1).send({ type: 'user.login.recorded' })
  for (const type of ['user.deactivated', 'user.verified', 'user.deactivated'])
    await node.actor('user', 3).send({ type }, { userId: 1 })
  await node.actor('user', 2).send({ type: 'user.deactivated' })
  await node.close()
})
afterAll(async () => {
  await client.end()
  await old.drop()
})

const cli = (args: string[], env: Record<string, string> = {}) =>
  // No command here may touch the node's own database: there is none.
  runCli(args, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', REDIS_URL: '', ...env })
const json = ({ stdout }: CliResult) => JSON.parse(stdout) as Record<string, unknown>
const failure = ({ stderr }: CliResult) =>
  (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { error: Record<string, unknown> }).error

describe('replay --check --from', () => {
  test('names the first event that the code on disk reads differently, and writes nothing', async () => {
    const contents = `select (select count(*) from incarnations) as starts, (select md5(string_agg(e::text, '' order by position)) from events e) as events`
    const before = (await client.query(contents)).rows
    const checked = await cli(['replay', '--check', '--from', '--json'], { ROOTSTREAM_FROM_URL: old.url })
    expect([checked.code, checked.stderr]).toEqual([10, ''])
    expect(json(checked)).toMatchObject({
      actors: 3,
      drifted: 1,
      first: {
        actor: 'user/3',
        version: 3,
        position: 6,
        type: 'user.verified',
        recorded: 'active',
        recomputed: null,
      },
    })
    expect((await client.query(contents)).rows).toEqual(before)
  })

  test('a history that was tampered with differs from there on; the address may stand in the arguments', async () => {
    await client.query("set rootstream.rewrite_history = 'on'; update events set state = 'deleted' where position = 4")
    const checked = await cli(['replay', '--check', '--from', old.url])
    await client.query("update events set state = 'active' where position = 4")
    expect(checked).toMatchObject({
      code: 10,
      stdout: expect.stringContaining(
        "2 actors have drifted. First event that differs: user/1 version 2, position 4: user.login.recorded led to 'deleted', with this code to 'active'.",
      ),
    })
  })

  test('one actor that did not drift is well', async () => {
    const checked = await cli(['replay', 'user/2', '--check', '--from', old.url])
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('History leads where it led.') })
  })

  test('what cannot be checked is refused, and no password is shown', async () => {
    const empty = await createTestDatabase({ empty: true })
    const noLog = await cli(['replay', '--check', '--from', '--json'], { ROOTSTREAM_FROM_URL: empty.url })
    await empty.drop()
    expect([noLog.code, failure(noLog)]).toMatchObject([
      9,
      { code: 'schema_mismatch', message: expect.stringContaining('not a RootStream log') },
    ])
    const away = await cli(['replay', '--check', '--from', 'postgres://u:pass-word@127.0.0.1:1/x', '--json'])
    expect([away.code, failure(away)['code']]).toEqual([6, 'log_unavailable'])
    const wrong = await cli(['replay', '--check', '--from', 'mysql://u:pass-word@localhost/x', '--json'])
    expect([wrong.code, failure(wrong)]).toMatchObject([2, { message: expect.stringContaining('--from') }])
    expect(away.stderr + wrong.stderr).not.toMatch(/pass-word|DATABASE_URL/)
    const nowhere = await cli(['replay', '--check', '--from', '--json'])
    expect([nowhere.code, failure(nowhere)]).toMatchObject([
      2,
      { message: expect.stringContaining('ROOTSTREAM_FROM_URL') },
    ])
    expect((await cli(['replay', 'user/1', '--from', old.url])).code).toBe(2)
  })
})

describe('actors show --diff', () => {
  test('says what changed between two versions, and by which events', async () => {
    const database = await createTestDatabase()
    const node = await createNode({ database: database.url, name: 'test', keys: TEST_KEYS, log: silentLogger })
    await node.create('user', { type: 'user.registered', username: 'a', email: 'a@example.org', passwordHash: 'first' })
    await node.actor('user', 1).send({ type: 'user.updated', displayName: 'A' }, { userId: 1 })
    await node.actor('user', 1).send({ type: 'user.password.changed', passwordHash: 'second' })
    await node.actor('user', 1).send({ type: 'user.deactivated' }, { userId: 1 })
    await node.close()
    const env = { DATABASE_URL: database.url }
    try {
      const compared = await cli(['actors', 'show', 'user/1', '--diff', '1', '4', '--json'], env)
      expect(json(compared)).toMatchObject({
        actor: 'user/1',
        from: { version: 1, state: 'active' },
        to: { version: 4, state: 'deactivated' },
        state: { before: 'active', after: 'deactivated' },
        changes: [
          { path: 'authEpoch', before: 0, after: 2 },
          { path: 'row.display_name', before: null, after: 'A' },
          { path: 'row.is_active', before: true, after: false },
          { path: 'row.password_hash', before: '***', after: '***' },
          { path: 'row.updated_at' },
        ],
        events: [
          { version: 2, type: 'user.updated', user: 1, at: expect.stringMatching(/Z$/) },
          { version: 3, type: 'user.password.changed', user: null },
          { version: 4, type: 'user.deactivated', user: 1 },
        ],
      })
      const shown = await cli(['actors', 'show', 'user/1', '--diff', 'v1', 'v2'], env)
      expect(shown.stdout).toContain('state: active, as before')
      expect(shown.stdout).toMatch(/row\.display_name +null +"A"/)
      expect(compared.stdout + shown.stdout).not.toMatch(/first|second/)
      const cases: [string[], number, string][] = [
        [['user/1', '--diff', '1', '5'], 4, 'It has the versions 1 to 4.'],
        [['user/1', '--diff', '0', '1'], 4, 'has no version 0'],
        [['user/9', '--diff', '1', '2'], 4, 'has no events'],
        [['user/1', '--diff', '2', '1'], 2, 'two versions'],
        [['user/1', '--diff', '1', '2', '--version', '1'], 2, 'cannot be used with'],
      ]
      for (const [args, code, message] of cases) {
        const result = await cli(['actors', 'show', ...args], env)
        expect([args.join(' '), result.code, result.stderr]).toEqual([
          args.join(' '),
          code,
          expect.stringContaining(message),
        ])
      }
    } finally {
      await database.drop()
    }
  })
})
