/** Migrations on a real server: once each, by one applier at a time, and never against a database they do not fit. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrate, pendingMigrations } from '../../src/eventstore/migrate.ts'
import { createTestDatabase } from '../support/database.ts'

const MIGRATIONS = path.resolve(import.meta.dirname, '../../migrations')
const migrationFiles = async () => (await readdir(MIGRATIONS)).filter(name => /^\d/.test(name)).sort()

let url: string
let client: pg.Client
let directory: string
const cleanups: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  const database = await createTestDatabase({ empty: true })
  url = database.url
  cleanups.push(() => database.drop())
  client = new pg.Client({ connectionString: url })
  await client.connect()
  cleanups.push(() => client.end())
  directory = await mkdtemp(path.join(os.tmpdir(), 'rootstream-migrations-'))
  cleanups.push(() => rm(directory, { recursive: true }))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function files(contents: Record<string, string>): Promise<void> {
  for (const [name, sql] of Object.entries(contents)) await writeFile(path.join(directory, name), sql)
}

async function recorded(): Promise<string[]> {
  const { rows } = await client.query('select version, name from schema_migrations order by version')
  return rows.map(({ version, name }) => `${version} ${name}`)
}

async function exists(table: string): Promise<boolean> {
  return (await client.query('select to_regclass($1) is not null as found', [table])).rows[0].found
}

async function asAdministrator(sql: string): Promise<void> {
  const address = new URL(url)
  address.pathname = '/postgres'
  const administrator = new pg.Client({ connectionString: address.href })
  await administrator.connect()
  await administrator.query(sql).finally(() => administrator.end())
}

describe('applying', () => {
  test('an empty database gets every migration of the package, in order, and a second run has nothing to do', async () => {
    const all = await migrationFiles()
    expect(await pendingMigrations(client)).toEqual(all)
    expect(await migrate({ url })).toEqual({ applied: all })
    expect(await pendingMigrations(client)).toEqual([])
    expect(await migrate({ url })).toEqual({ applied: [] })
    expect(await recorded()).toEqual(all.map(name => `${Number(name.slice(0, 3))} ${name.slice(4, -4)}`))
  })

  test('an older version of ours gets what it lacks', async () => {
    const all = await migrationFiles()
    expect(await migrate({ url, to: 2 })).toEqual({ applied: all.slice(0, 2) })
    expect(await migrate({ url })).toEqual({ applied: all.slice(2) })
  })

  test('twenty at once apply each once', async () => {
    const all = await migrationFiles()
    const runs = await Promise.all(Array.from({ length: 20 }, () => migrate({ url })))
    expect(runs.flatMap(({ applied }) => applied).sort()).toEqual(all)
    expect(await recorded()).toHaveLength(all.length)
  })

  test('processes in other working directories apply each once', async () => {
    const all = await migrationFiles()
    const module = path.resolve(import.meta.dirname, '../../src/eventstore/migrate.ts')
    const program = `const { migrate } = await import(${JSON.stringify(module)})
      console.log(JSON.stringify((await migrate({ url: process.env.TEST_URL })).applied))`
    const runs = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
          cwd: directory,
          env: { PATH: process.env.PATH, TEST_URL: url },
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const output = Array.fromAsync(child.stdout as AsyncIterable<Buffer>)
        const [code] = await once(child, 'close')
        expect(code).toBe(0)
        return JSON.parse(Buffer.concat(await output).toString()) as string[]
      }),
    )
    expect(runs.flat().sort()).toEqual(all)
  })

  test('one that fails leaves nothing of itself, keeps those before it, and runs again when it is mended', async () => {
    await files({ '001_one.sql': 'create table one (a int)', '002_two.sql': 'create table two (a int); select 1 / 0' })
    await expect(migrate({ url, directory })).rejects.toThrow('division by zero')
    expect(await recorded()).toEqual(['1 one'])
    expect(await exists('two')).toBe(false)
    await files({ '002_two.sql': 'create table two (a int)' })
    expect(await migrate({ url, directory })).toEqual({ applied: ['002_two.sql'] })
  })

  test('one that says so runs outside a transaction, also while others wait for their turn', async () => {
    await files({
      '001_one.sql': 'create table one (a int)',
      '002_index.sql': '-- no-transaction\ncreate index concurrently one_a on one (a)',
    })
    const runs = await Promise.all(Array.from({ length: 5 }, () => migrate({ url, directory })))
    expect(runs.flatMap(({ applied }) => applied)).toEqual(['001_one.sql', '002_index.sql'])
    expect(await exists('one_a')).toBe(true)
  })

  test('sessions are in UTC, whatever the server or the address says', async () => {
    await client.query(
      `do $$ begin execute format('alter database %I set timezone to ''Asia/Tokyo''', current_database()); end $$`,
    )
    await files({ '001_zone.sql': `create table zone as select current_setting('TimeZone') as name` })
    const address = new URL(url)
    address.searchParams.set('options', '-c TimeZone=America/Lima -c work_mem=5MB')
    await migrate({ url: address.href, directory })
    expect((await client.query('select name from zone')).rows).toEqual([{ name: 'UTC' }])
  })
})

describe('refusing', () => {
  test('a database that is newer than the code', async () => {
    await files({ '001_one.sql': 'create table one (a int)', '002_two.sql': 'create table two (a int)' })
    await migrate({ url, directory })
    await rm(path.join(directory, '002_two.sql'))
    await files({ '003_three.sql': 'create table three (a int)' })
    await expect(migrate({ url, directory })).rejects.toMatchObject({
      code: 'schema_mismatch',
      message: expect.stringContaining('migration 2'),
    })
    expect(await exists('three')).toBe(false)
  })

  test('one that cannot hold every text, before anything is made in it', async () => {
    const latin = new URL(url)
    latin.pathname = `/latin_${randomBytes(8).toString('hex')}`
    const name = latin.pathname.slice(1)
    await client.query(`create database ${name} encoding 'latin1' lc_collate 'C' lc_ctype 'C' template template0`)
    cleanups.push(() => client.query(`drop database ${name} with (force)`))
    await expect(migrate({ url: latin.href })).rejects.toMatchObject({
      code: 'setup_failed',
      message: expect.stringContaining('LATIN1'),
    })
  })

  test('a file that was changed after it was applied', async () => {
    await files({ '001_one.sql': 'create table one (a int)' })
    await migrate({ url, directory })
    await files({ '001_one.sql': 'create table one (a int, b int)', '002_two.sql': 'create table two (a int)' })
    await expect(migrate({ url, directory })).rejects.toMatchObject({
      code: 'schema_mismatch',
      message: expect.stringContaining('001_one.sql'),
    })
    expect(await exists('two')).toBe(false)
  })

  test.each([
    ['1_one.sql', '001_other.sql'],
    ['001_one.sql', '001_other.sql'],
    ['001_One.sql', '002_other.sql'],
  ])('files that have no place in an order: %s, %s', async (one, other) => {
    await files({ [one]: 'select 1', [other]: 'select 1' })
    await expect(migrate({ url, directory })).rejects.toThrow('NNN_name.sql')
  })
})

describe('a role that lacks rights', () => {
  /** A plain role, which owns nothing. */
  async function plainRole(): Promise<{ role: string; address: string }> {
    const role = `role_${randomBytes(6).toString('hex')}`
    await client.query(`create role ${role} login password 'open-sesame'`)
    const address = new URL(url)
    address.username = role
    address.password = 'open-sesame'
    // Last of all: the database that holds its grants goes first.
    cleanups.unshift(() => asAdministrator(`drop role ${role}`))
    return { role, address: address.href }
  }

  async function refusal(address: string): Promise<{ code: string; message: string }> {
    const error = await migrate({ url: address, directory: MIGRATIONS }).then(
      () => {
        throw new Error('the migration went through')
      },
      reason => reason,
    )
    expect(error).toMatchObject({ code: 'missing_grant' })
    expect(JSON.stringify([error.message, String(error.cause)])).not.toContain('open-sesame')
    return error
  }

  function statements(message: string): string {
    return message.slice(message.indexOf('run: ') + 5)
  }

  test('to create is told the grant, and what it is told suffices', async () => {
    await client.query('revoke create on schema public from public')
    const { role, address } = await plainRole()
    const { message } = await refusal(address)
    expect(statements(message)).toBe(`grant usage, create on schema public to ${role};`)
    await client.query(statements(message))
    await migrate({ url: address })
  })

  test('over a 24.2 database is told every owner that has to change, at once, and what it is told suffices', async () => {
    await client.query(await readFile(path.resolve(import.meta.dirname, '../fixtures/legacy-24.2/schema.sql'), 'utf8'))
    await client.query('create table unrelated (a int)')
    const { role, address } = await plainRole()
    await client.query(`grant usage, create on schema public to ${role}`)
    const { message } = await refusal(address)
    expect(statements(message)).toContain(`alter table users owner to ${role};`)
    expect(statements(message)).toContain(`alter function update_updated_at_column() owner to ${role};`)
    expect(statements(message)).not.toContain('unrelated')
    await client.query(statements(message))
    await migrate({ url: address })
  })
})
