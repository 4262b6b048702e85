/** The command line as processes of its own, on the embedded Postgres, the way a user meets it. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CliResult, runCli, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { HttpClient } from '../support/http-client.ts'
import { populateLegacyDatabase } from '../support/legacy-database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let environment: Record<string, string>
beforeAll(async () => {
  folder = await temporaryFolder('cli with a space')
  environment = {
    ROOTSTREAM_HOME: path.join(folder, 'home'),
    ROOTSTREAM_HTTP_PORT: '0',
    DATABASE_URL: '',
    REDIS_URL: '',
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const cli = (args: string[], more: Record<string, string> = {}, input?: string) =>
  runCli(args, { ...environment, ...more }, input === undefined ? {} : { input })
const json = ({ stdout }: CliResult) => JSON.parse(stdout) as Record<string, unknown>
const failure = ({ stderr }: CliResult) =>
  (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { error: Record<string, unknown> }).error

/** Pids of Postgres servers whose data lies in the folder of this test. */
function postgresServers(): string[] {
  const pidFile = path.join(folder, 'home/postgres/postmaster.pid')
  const pid = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').split('\n')[0] : undefined
  return pid !== undefined && existsSync(`/proc/${pid}`) ? [pid] : []
}

describe('without a node running', () => {
  test('commands bring the database for as long as they take', async () => {
    expect(json(await cli(['migrate', '--json']))['applied']).toContain('001_event_log.sql')
    expect(json(await cli(['migrate', '--json']))).toEqual({ applied: [] })
    expect(postgresServers()).toEqual([])
  })

  test('send, show, list, replay, audit: one actor seen from every side', async () => {
    const registered = await cli(
      ['actors', 'send', 'user', 'user.registered', '@-', '--command-id', 'first', '--json'],
      {},
      JSON.stringify({ username: 'ada', email: 'ada@example.org', passwordHash: 'very-secret' }),
    )
    expect(registered).toMatchObject({ code: 0 })
    const { actor } = json(registered) as { actor: string }
    const again = await cli([
      'actors',
      'send',
      'user',
      'user.registered',
      '{"username":"ada","email":"ada@example.org","passwordHash":"very-secret"}',
      '--command-id',
      'first',
      '--json',
    ])
    expect(json(again)).toMatchObject({ actor, repeated: true })
    expect(await cli(['actors', 'send', actor, 'user.verified', '--user', '1'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('version 2'),
    })
    const shown = await cli(['actors', 'show', actor, '--json'])
    expect(json(shown)).toMatchObject({
      version: 2,
      state: 'active',
      context: { row: { username: 'ada', is_verified: true } },
    })
    expect(shown.stdout).not.toContain('very-secret')
    expect(json(await cli(['actors', 'show', actor, '--version', '1', '--json']))).toMatchObject({ version: 1 })
    expect(JSON.parse((await cli(['actors', 'list', 'user', '--json'])).stdout)).toMatchObject([
      { version: 2, state: 'active' },
    ])
    const history = await cli(['replay', actor])
    expect(history.stdout).toContain('user.verified')
    expect(history.stdout).not.toContain('very-secret')
    expect(json(await cli(['replay', '--all', '--check', '--json']))).toMatchObject({ actors: 1, events: 2, drift: [] })
    expect(json(await cli(['audit', '--user', '1', '--json']))['events']).toMatchObject([
      { type: 'user.verified', userId: 1 },
    ])
    expect(json(await cli(['rebuild', '--verify', '--json']))['tables']).toContainEqual(
      expect.objectContaining({ table: 'users', rows: 1, missing: 0, extra: 0, different: 0 }),
    )
    expect((await cli(['rebuild'])).stdout).toContain('nothing to mend')
  })

  test('a refusal and each kind of wrong input say why, with an exit code of their own', async () => {
    const refused = await cli(['actors', 'send', 'user/1', 'user.reactivated', '--json'])
    expect(refused.code).toBe(5)
    expect(json(refused)).toMatchObject({ ok: false, reason: 'not_allowed', state: 'active' })
    const cases: [string[], number, string][] = [
      [['actors', 'show', 'user/99', '--json'], 4, 'not_found'],
      [['actors', 'show', 'unheard/1', '--json'], 4, 'unknown_type'],
      [['actors', 'show', 'user/-1', '--json'], 2, 'invalid_input'],
      [['actors', 'send', 'user/1', 'user.updated', '{}', '--json'], 2, 'invalid_event'],
      [['actors', 'send', 'user/1', 'user.updated', 'no json', '--json'], 2, 'invalid_input'],
      [['replay', '--json'], 2, 'invalid_input'],
    ]
    for (const [args, code, error] of cases) {
      const result = await cli(args)
      expect([args.join(' '), result.code, failure(result)['code']]).toEqual([args.join(' '), code, error])
      expect(result.stderr).not.toContain('    at ')
    }
    expect((await cli(['actors', 'list', 'user', '--limit', 'many'])).code).toBe(2)
    expect((await cli(['unheard'])).code).toBe(2)
    expect((await cli(['--help'])).stdout).toContain('Exit codes')
  })

  test('a database that is away is told apart from one that refuses, and no password is shown', async () => {
    const away = await cli(['audit', '--json'], { DATABASE_URL: 'postgres://u:pass-word@127.0.0.1:1/x' })
    expect([away.code, failure(away)['code'], failure(away)['retryable']]).toEqual([6, 'log_unavailable', true])
    const wrong = await cli(['audit', '--json'], { DATABASE_URL: 'mysql://u:pass-word@localhost/x' })
    expect([wrong.code, failure(wrong)['code']]).toEqual([2, 'invalid_input'])
    expect(away.stderr + wrong.stderr).not.toContain('pass-word')
  })
})

describe('a node', () => {
  test('starts, serves, stops in order, and leaves no server behind', async () => {
    const node = await startNodeProcess(environment)
    const token = readFileSync(path.join(folder, 'home/token'), 'utf8')
    expect(statSync(path.join(folder, 'home/token')).mode & 0o777).toBe(0o600)
    const client = new HttpClient(node.url, token, 2)
    expect(await client.request('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await client.request('GET', '/v1/actors/user/1')).toMatchObject({ status: 200, body: { version: 2 } })
    // Other commands share its database.
    expect(await cli(['actors', 'send', 'user/1', 'user.updated', '{"displayName":"Ada"}'])).toMatchObject({ code: 0 })
    expect(await client.request('GET', '/v1/actors/user/1')).toMatchObject({
      body: { version: 3, context: { row: { display_name: 'Ada' } } },
    })
    expect((await cli(['doctor'])).stdout).toContain('up to date')
    const second = await cli(['start', '--json'])
    expect([second.code, failure(second)['code']]).toEqual([7, 'already_running'])
    client.close()
    expect(postgresServers()).toHaveLength(1)
    expect(await node.stop()).toBe(0)
    expect(postgresServers()).toEqual([])
    expect(existsSync(path.join(folder, 'home/rootstream.sock'))).toBe(false)
  })

  test('killed with -9, it is recovered at the next start, and nothing acknowledged is gone', async () => {
    const first = await startNodeProcess(environment)
    const token = readFileSync(path.join(folder, 'home/token'), 'utf8')
    const client = new HttpClient(first.url, token, 2)
    const { position } = await client.command(
      '/v1/actors/user',
      { type: 'user.registered', username: 'bob', email: 'bob@example.org', passwordHash: 'x' },
      { key: 'bob' },
    )
    await first.kill()
    expect(postgresServers()).toHaveLength(1)
    const second = await startNodeProcess(environment)
    client.moveTo(second.url)
    expect(await client.request('GET', `/v1/audit?after=${position - 1}&limit=1`)).toMatchObject({
      body: { events: [{ position, commandId: 'bob' }] },
    })
    client.close()
    expect(await second.stop()).toBe(0)
    expect(postgresServers()).toEqual([])
  })
})

describe('history that drifted and tables that were tampered with', () => {
  test('are named, with an exit code', async () => {
    const database = await createTestDatabase()
    const env = { DATABASE_URL: database.url }
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await cli(
        ['actors', 'send', 'user', 'user.registered', '{"username":"a","email":"a@example.org","passwordHash":"x"}'],
        env,
      )
      await cli(['actors', 'send', 'user/1', 'user.deactivated'], env)
      await client.query("set rootstream.rewrite_history = 'on'")
      await client.query("update events set state = 'active' where version = 2")
      const drifted = await cli(['replay', '--all', '--check', '--json'], env)
      expect(drifted.code).toBe(10)
      expect(json(drifted)['drift']).toMatchObject([
        { actor: 'user/1', version: 2, message: expect.stringContaining("leads to 'deactivated'") },
      ])
      await client.query("update events set state = 'deactivated' where version = 2")
      await client.query(
        "begin; select set_config('rootstream.projector', 'on', true); update users set username = 'b'; commit",
      )
      const tampered = await cli(['rebuild', '--verify', '--json'], env)
      expect(tampered.code).toBe(11)
      expect(json(tampered)['tables']).toContainEqual(
        expect.objectContaining({ table: 'users', different: 1, examples: [1] }),
      )
      expect((await cli(['rebuild'], env)).stdout).toContain('mended')
      expect((await cli(['rebuild', '--verify'], env)).code).toBe(0)
    } finally {
      await client.end()
      await database.drop()
    }
  })
})

test('the import of a 24.2 database reads as a table, and the dry run writes nothing', async () => {
  const database = await createTestDatabase({ empty: true })
  try {
    await populateLegacyDatabase(database.url, { users: 5 })
    const env = { DATABASE_URL: database.url }
    const dry = await cli(['import', '--dry-run'], env)
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing was written.') })
    expect(dry.stdout).toContain('users 2: a name is the same')
    const imported = await cli(['import', '--json'], env)
    expect(json(imported)['tables']).toContainEqual(expect.objectContaining({ table: 'users', rows: 10, imported: 10 }))
    expect((await cli(['rebuild', '--verify'], env)).code).toBe(0)
  } finally {
    await database.drop()
  }
})
