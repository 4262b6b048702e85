/** Adoption of a 24.2 database: migrations on every kind of database, and an import that changes no row. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import { migrate } from '../../src/eventstore/migrate.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { createPool } from '../../src/eventstore/pool.ts'
import { type ImportReport, importLegacy } from '../../src/legacy/import-legacy.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { createProjections } from '../../src/projections/projections.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { append } from '../eventstore/log-stage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { LEGACY_TABLES, populateLegacyDatabase, rowHashes } from '../support/legacy-database.ts'

const MIGRATIONS = path.resolve(import.meta.dirname, '../../migrations')
const migrationFiles = async () => (await readdir(MIGRATIONS)).filter(name => /^\d/.test(name)).sort()

let database: TestDatabase
let client: pg.Client
beforeEach(async () => {
  database = await createTestDatabase({ empty: true })
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterEach(async () => {
  await client.end()
  await database.drop()
})

/** What the catalogue says of the nine tables: equal schemas give equal texts. */
async function schemaOf(of: pg.Client): Promise<readonly string[]> {
  const { rows } = await of.query<{ line: string }>(
    `select format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) as line
       from information_schema.columns where table_name = any($1)
     union all
     select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
       where conrelid::regclass::text = any($1) and contype <> 'n'
     union all
     select format('%s trigger %s', tgrelid::regclass, tgname) from pg_trigger
       where tgrelid::regclass::text = any($1) and not tgisinternal
     order by 1`,
    [LEGACY_TABLES],
  )
  return rows.map(({ line }) => line)
}

async function withStore<Result>(work: (store: PgEventStore) => Promise<Result>): Promise<Result> {
  const store = await createPgEventStore({ url: database.url, node: 'test', clock: systemClock, log: silentLogger })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

function runImport(store: PgEventStore, onProgress: () => void = () => {}): Promise<ImportReport> {
  return importLegacy({ pool: store.pool, entities, clock: systemClock, store, onProgress })
}

async function project(store: PgEventStore): Promise<void> {
  const projections = createProjections({ store, pool: store.pool, entities, clock: systemClock, log: silentLogger })
  await projections.start()
  await projections.caughtUp()
  expect(await projections.failures()).toEqual([])
  await projections.stop()
}

/** As the version of the second migration wrote. */
async function appendAsOlderCode(id: number, commandId: string): Promise<void> {
  const { rows } = await client.query('select outcome from append_batch($1, null)', [
    JSON.stringify([
      {
        ...{
          a: 0,
          actor_type: 'thing',
          actor_id: id,
          expected: 0,
          version: 1,
          type: 'thing.happened',
          schema_version: 1,
        },
        ...{
          data: {},
          state: 'on',
          at: '2026-01-01T00:00:00Z',
          node: 'old',
          incarnation: 1,
          n: id,
          command_id: commandId,
        },
      },
    ]),
  ])
  expect(rows).toEqual([{ outcome: 'appended' }])
}

describe('migrations', () => {
  test('an empty and an adopted database end in the same schema; a second run does nothing', async () => {
    await populateLegacyDatabase(database.url, { users: 10 })
    const before = await rowHashes(client)
    expect((await migrate({ url: database.url })).applied.length).toBeGreaterThan(3)
    expect(await rowHashes(client)).toEqual(before)
    expect(await migrate({ url: database.url })).toEqual({ applied: [] })

    const fresh = await createTestDatabase()
    const other = new pg.Client({ connectionString: fresh.url })
    await other.connect()
    expect(await schemaOf(client)).toEqual(await schemaOf(other))
    await other.end()
    await fresh.drop()
  })

  test('our own older version goes on from where it is, with its data', async () => {
    const files = (await migrationFiles()).length
    await migrate({ url: database.url, to: 2 })
    await appendAsOlderCode(1, 'old')
    expect((await migrate({ url: database.url })).applied).toHaveLength(files - 2)
    await withStore(async store => {
      expect((await store.findCommand('old'))?.actorId).toBe(1)
      expect((await store.append(append(1, 1))).outcome).toBe('appended')
      // A node that was not replaced yet runs on.
      await appendAsOlderCode(2, 'older node')
      expect((await store.findCommand('older node'))?.actorId).toBe(2)
    })
  })

  test('twenty at once apply each migration once', async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => migrate({ url: database.url })))
    const applied = runs.flatMap(run => run.applied)
    expect(applied.length).toBe(new Set(applied).size)
    expect(applied.length).toBe((await migrationFiles()).length)
  })

  test('a changed file and a newer database are refused, and nothing is changed', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rootstream-migrations-'))
    try {
      await cp(MIGRATIONS, folder, { recursive: true })
      await migrate({ url: database.url, directory: folder })
      await client.query("update schema_migrations set checksum = 'other' where version = 2")
      await expect(migrate({ url: database.url, directory: folder })).rejects.toMatchObject({
        code: 'schema_mismatch',
        message: expect.stringContaining('002_append_batch.sql'),
      })
      await client.query('delete from schema_migrations where version = 2')
      await client.query("insert into schema_migrations (version, name, checksum) values (999, 'future', 'x')")
      await expect(migrate({ url: database.url, directory: folder })).rejects.toMatchObject({
        code: 'schema_mismatch',
        message: expect.stringContaining('999'),
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('tables that are not of 24.2 are not guessed at: what is missing is named, and they are left alone', async () => {
    await client.query('create table users (id int)')
    await expect(migrate({ url: database.url })).rejects.toMatchObject({
      code: 'schema_mismatch',
      message: expect.stringContaining('users.username'),
    })
    const { rows } = await client.query('select max(version) as version from schema_migrations')
    expect(rows).toEqual([{ version: 2 }])
  })

  test('a role without rights is told which grant is missing; with it, it may migrate', async () => {
    const role = `${database.name}_role`
    await client.query(`create role ${role} login password 'pw'`)
    const url = new URL(database.url)
    url.username = role
    url.password = 'pw'
    try {
      await expect(migrate({ url: url.href })).rejects.toMatchObject({
        code: 'missing_grant',
        message: expect.stringMatching(/create.* on schema public to \S+_role/),
      })
      await client.query(`grant create, usage on schema public to ${role}`)
      expect((await migrate({ url: url.href })).applied.length).toBeGreaterThan(3)
    } finally {
      await client.query(`drop owned by ${role}`)
      await client.query(`drop role ${role}`)
    }
  })

  test.each(LEGACY_TABLES)('%s refuses direct writes and says where to write instead', async table => {
    await migrate({ url: database.url })
    for (const sql of [`delete from ${table}`, `truncate ${table}`, `update ${table} set id = 1`])
      await expect(client.query(sql)).rejects.toMatchObject({
        code: 'RS001',
        message: expect.stringContaining(table),
        hint: expect.stringContaining('rootstream actors send'),
      })
  })
})

describe('import', () => {
  test('a dry run reports on a database that was never migrated, and writes nothing', async () => {
    await populateLegacyDatabase(database.url, { users: 20 })
    const before = await rowHashes(client)
    const tables = async () =>
      (await client.query("select tablename from pg_tables where schemaname = 'public' order by 1")).rows
    const known = await tables()
    const pool = createPool({ url: database.url, log: silentLogger, size: 2 })
    const report = await importLegacy({ pool, entities, clock: systemClock, store: undefined })
    await pool.end()
    expect(report.dryRun).toBe(true)
    expect(report.tables.map(({ table, rows, imported }) => [table, rows, imported])).toEqual([
      ['users', 25, 25],
      ['sessions', 44, 44],
      ['streams', 23, 23],
      ['stream_sessions', 23, 23],
      ['recordings', 23, 23],
      ['usage_logs', 23, 23],
      ['billing_accounts', 12, 12],
    ])
    expect(report.tables[0]?.problems).toEqual([
      { id: 2, imported: true, problem: expect.stringContaining('letter case') },
    ])
    expect(report.eventLog).toEqual({
      rows: 8,
      orderable: 2,
      quarantined: [
        { reason: 'no aggregate', rows: 1, ids: [8] },
        { reason: 'no version', rows: 1, ids: [3] },
        { reason: 'version not positive', rows: 2, ids: [1, 2] },
        { reason: 'version repeated', rows: 2, ids: [6, 7] },
      ],
    })
    expect(await rowHashes(client)).toEqual(before)
    expect(await tables()).toEqual(known)
  })

  test('every row keeps its bytes through import, projection and rebuild, updated_at included', async () => {
    await populateLegacyDatabase(database.url, { users: 30 })
    const before = await rowHashes(client)
    await migrate({ url: database.url })
    await withStore(async store => {
      const report = await runImport(store)
      expect(report.tables.every(({ rows, imported, already }) => imported === rows && already === 0)).toBe(true)
      await project(store)
      expect(await rowHashes(client)).toEqual(before)
      const options = { store, pool: store.pool, entities, log: silentLogger }
      const verified = await rebuild({ ...options, verifyOnly: true })
      const faults = verified.tables.map(
        ({ missing, extra, different, unknown }) => missing + extra + different + unknown,
      )
      expect(faults).toEqual(Array(entities.filter(({ view }) => view !== undefined).length).fill(0))
      // From nothing but the log: the same rows.
      await client.query('begin')
      await client.query("select set_config('rootstream.projector', 'on', true)")
      for (const table of LEGACY_TABLES.slice(0, 7)) await client.query(`delete from ${table}`)
      await client.query('commit')
      await rebuild(options)
      expect(await rowHashes(client)).toEqual(before)
    })
  })

  test('a second import finds everything there; what an interrupted one left out is made good', async () => {
    await populateLegacyDatabase(database.url, { users: 40 })
    await migrate({ url: database.url })
    await withStore(async store => {
      let calls = 0
      const interrupted = runImport(store, () => {
        if (++calls === 3) throw new Error('killed')
      })
      await expect(interrupted).rejects.toThrow('killed')
      const second = await runImport(store)
      expect(second.tables.every(({ rows, imported, already }) => imported + already === rows)).toBe(true)
      expect(second.tables[0]).toMatchObject({ imported: 0 })
      expect((await runImport(store)).tables.every(({ imported }) => imported === 0)).toBe(true)
      expect((await store.audit({ actor: actorRef('user', 1) })).events).toHaveLength(1)
    })
  })

  test('imported states are what the rows say, and new actors get ids above them', async () => {
    await populateLegacyDatabase(database.url)
    await migrate({ url: database.url })
    await withStore(async store => {
      await runImport(store)
      const states = async (type: string) => (await store.listActors(type, 0, 100)).map(({ state }) => state)
      expect(await states('user')).toEqual(['active', 'active', 'deactivated', 'deactivated', 'active'])
      expect(await states('session')).toEqual(['active', 'closed', 'active', 'closed'])
      expect(await states('stream')).toEqual(['idle', 'live', 'idle'])
      expect(await states('broadcast')).toEqual(['ended', 'live', 'ended'])
      expect(await store.nextId('user')).toBeGreaterThan(5)
      expect(await store.nextId('usage')).toBeGreaterThan(3)
      const timers = await client.query('select actor_type, actor_id::int, name from timers order by 1, 2')
      expect(timers.rows).toEqual([
        { actor_type: 'recording', actor_id: 1, name: 'expiry' },
        { actor_type: 'session', actor_id: 1, name: 'expiry' },
        { actor_type: 'session', actor_id: 3, name: 'expiry' },
      ])
    })
  })

  test('old event_log rows stay readable by name and column, and what has no order is in quarantine', async () => {
    await populateLegacyDatabase(database.url)
    await migrate({ url: database.url })
    await withStore(store => runImport(store))
    const { rows } = await client.query(
      'select id, aggregate_type, aggregate_id, event_type, event_data, timestamp, version, user_id from event_log order by id',
    )
    expect(rows).toHaveLength(8)
    expect(rows[0]).toMatchObject({
      aggregate_type: 'Stream',
      event_type: 'StreamStarted',
      event_data: { bitrate: 5000 },
      version: 0,
      user_id: 1,
    })
    const quarantined = await client.query('select event_log_id::int as id from legacy_event_quarantine order by 1')
    expect(quarantined.rows.map(({ id }) => id)).toEqual([1, 2, 3, 6, 7, 8])
  })

  test('columns that somebody added are reported and kept', async () => {
    await populateLegacyDatabase(database.url)
    await client.query("alter table users add column theme text default 'dark'")
    await migrate({ url: database.url })
    await withStore(async store => {
      const report = await runImport(store)
      expect(report.tables[0]?.addedColumns).toEqual(['theme'])
      await project(store)
      expect((await client.query('select distinct theme from users')).rows).toEqual([{ theme: 'dark' }])
    })
  })

  test('an import without migrations is refused', async () => {
    await populateLegacyDatabase(database.url)
    const pool = createPool({ url: database.url, log: silentLogger, size: 2 })
    const store = { reserveIds: async () => {} } as never
    const refused = importLegacy({ pool, entities, clock: systemClock, store })
    await expect(refused).rejects.toMatchObject({ code: 'schema_mismatch' })
    await pool.end()
  })
})
