/** What goes wrong around a command is told as what it is, and a command that nobody reads still comes to its end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEY_TEXT } from '../support/test-keys.ts'

let folder: string
let environment: Record<string, string>
beforeAll(async () => {
  folder = await temporaryFolder('cli failures')
  environment = {
    ROOTSTREAM_HOME: path.join(folder, 'home'),
    ROOTSTREAM_KEYS: TEST_KEY_TEXT,
    DATABASE_URL: '',
    REDIS_URL: '',
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const cli = (args: string[], more: Record<string, string> = {}) => runCli(args, { ...environment, ...more })

/** Runs a command whose reader goes away before it has said anything. */
async function unread(args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [path.resolve(import.meta.dirname, '../../src/cli/main.ts'), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

describe('is named, and is no mistake of the runtime', () => {
  test('a file of data that is not there', async () => {
    const { code, stderr } = await cli(['actors', 'send', 'user', 'user.registered', `@${folder}/none.json`])
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${folder}/none.json`)])
    expect(stderr).toContain('Nothing was changed')
    expect(stderr).not.toContain('mistake of the runtime')
  })

  test('a home that is a file', async () => {
    const home = path.join(folder, 'file')
    writeFileSync(home, '')
    for (const given of [home, path.join(home, 'below')]) {
      const { code, stderr } = await cli(['doctor'], { ROOTSTREAM_HOME: given })
      expect([code, stderr]).toEqual([13, expect.stringContaining('ROOTSTREAM_HOME')])
      expect(stderr).not.toContain('mistake of the runtime')
    }
  })

  test('a disk that is full, where the result should go', async () => {
    const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>(resolve => {
      const child = spawn('sh', ['-c', `"${process.execPath}" src/cli/main.ts keys generate > /dev/full`], {
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let said = ''
      child.stderr.on('data', chunk => {
        said += chunk
      })
      child.once('close', ended => resolve({ code: ended, stderr: said }))
    })
    expect([code, stderr]).toEqual([13, expect.stringContaining('no space left')])
  })

  test('a server that does not answer, by its address', async () => {
    const { code, stderr } = await cli(['audit'], { DATABASE_URL: 'postgres://u:pass-word@127.0.0.1:1/x' })
    expect([code, stderr]).toEqual([6, expect.stringContaining('ECONNREFUSED 127.0.0.1:1')])
    expect(stderr).not.toContain('pass-word')
  })
})

describe('on the database', () => {
  beforeAll(async () => {
    const data = '{"username":"ada","email":"ada@example.org","passwordHash":"x"}'
    expect((await cli(['actors', 'send', 'user', 'user.registered', data])).code).toBe(0)
  })

  test('a version that an actor does not have is not answered with another one', async () => {
    const { code, stdout, stderr } = await cli(['actors', 'show', 'user/1', '--version', '99'])
    expect([code, stdout, stderr]).toEqual([4, '', expect.stringContaining('has no version 99; its last is 1')])
  })

  test('a version and a time, or a page of no rows, are not asked for', async () => {
    const point = ['actors', 'show', 'user/1', '--version', '1', '--at', '2026-01-01T00:00:00Z']
    for (const args of [point, ['actors', 'list', 'user', '--limit', '0'], ['audit', '--limit', '1001']])
      expect([args, (await cli(args)).code]).toEqual([args, 2])
  })

  test('a token that a full disk left empty is made anew: nobody could sign in by it', async () => {
    const token = path.join(folder, 'home/token')
    writeFileSync(token, '')
    const node = await startNodeProcess({ ...environment, ROOTSTREAM_HTTP_PORT: '0' })
    const made = readFileSync(token, 'utf8')
    const { status } = await fetch(`${node.url}/v1/projections`, { headers: { authorization: `Bearer ${made}` } })
    expect([status, statSync(token).mode & 0o777]).toEqual([200, 0o600])
    expect(await node.stop()).toBe(0)
  })

  test('what a start says to try goes by the token that it was given', async () => {
    const child = spawn(process.execPath, ['src/cli/main.ts', 'start'], {
      env: {
        ...process.env,
        ...environment,
        ROOTSTREAM_TOKEN: 'a-token-of-the-tests',
        ROOTSTREAM_HTTP_PORT: '0',
        // Too long for a socket, so that the token is what is left.
        ROOTSTREAM_HOME: path.join(folder, 'long'.repeat(30)),
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const closed = once(child, 'close')
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    child.kill('SIGTERM')
    await closed
    expect(said.toString()).toContain('curl -H "Authorization: Bearer $ROOTSTREAM_TOKEN" http://')
  })

  test('a command whose reader has gone leaves no server behind', async () => {
    expect(await unread(['audit'])).toEqual({ code: 0, stderr: '' })
    expect(existsSync(path.join(folder, 'home/postgres/postmaster.pid'))).toBe(false)
  })
})

describe('the doctor says what would keep a node from starting', () => {
  test('another key ring than that of the log', async () => {
    const other = (await cli(['keys', 'generate'])).stdout.trim()
    const { code, stdout } = await cli(['doctor'], { ROOTSTREAM_KEYS: other })
    expect([code, stdout]).toEqual([13, expect.stringMatching(/^fail +keys/m)])
    expect(await cli(['doctor'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok +keys/m) })
  })

  test('a database of a newer version', async () => {
    const database = await createTestDatabase()
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await client.query("insert into schema_migrations (version, name, checksum) values (999, 'later', 'x')")
      const { code, stdout } = await cli(['doctor'], { DATABASE_URL: database.url })
      expect([code, stdout]).toEqual([13, expect.stringMatching(/^fail +migrations[\s\S]*migration 999/m)])
    } finally {
      await client.end()
      await database.drop()
    }
  })
})

test('help that nobody reads is no error', async () => {
  expect(await unread(['--help'])).toEqual({ code: 0, stderr: '' })
})
