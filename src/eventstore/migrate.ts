/** Brings a database to the schema this code needs: each migration once, in order, in a transaction of its own. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { sqlState, toAppError } from './pg-errors.ts'
import { createPool } from './pool.ts'

export interface MigrateOptions {
  readonly url: string
  /** Default: the migrations of this package. */
  readonly directory?: string
  /** Applies migrations up to this version only. */
  readonly to?: number
  readonly log?: Logger
}

interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
  readonly transactional: boolean
}

const DIRECTORY = path.resolve(import.meta.dirname, '../../migrations')
// Any constant of our own: whoever migrates this database holds it.
const LOCK = '7236112046018'
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Applies what is missing; nodes that start at the same time wait for each other. Answers the names of the files applied.
 * Throws AppError `missing_grant` (says which), `schema_mismatch` (a newer database, a changed file), `log_unavailable`.
 */
export async function migrate({
  url,
  directory = DIRECTORY,
  to,
  log = SILENT,
}: MigrateOptions): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(directory)
  const wanted = migrations.filter(({ version }) => to === undefined || version <= to)
  const pool = createPool({ url, size: 1, log })
  try {
    const client = await pool.connect()
    try {
      await client.query("set lock_timeout = '30s'; set statement_timeout = 0")
      await client.query('select pg_advisory_lock($1)', [LOCK])
      const applied = await applyMissing(client, migrations, wanted, log)
      await client.query('select pg_advisory_unlock($1)', [LOCK])
      return { applied }
    } finally {
      // The session carries settings and perhaps the lock: it is closed, not reused.
      client.release(true)
    }
  } catch (error) {
    throw toAppError(error)
  } finally {
    await pool.end()
  }
}

/** Names of migrations that this code has and the database has not. Writes nothing. */
export async function pendingMigrations(
  client: Pick<pg.ClientBase, 'query'>,
  directory: string = DIRECTORY,
): Promise<readonly string[]> {
  const migrations = await readMigrations(directory)
  const known = await client.query("select to_regclass('schema_migrations') is not null as found")
  const done = known.rows[0]?.found ? await appliedVersions(client) : new Map<number, string>()
  return migrations.filter(({ version }) => !done.has(version)).map(fileName)
}

async function applyMissing(
  client: pg.PoolClient,
  all: readonly Migration[],
  wanted: readonly Migration[],
  log: Logger,
): Promise<string[]> {
  await withGrantHint(client, () =>
    client.query(
      `create table if not exists schema_migrations (
        version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`,
    ),
  )
  const done = await appliedVersions(client)
  refuseForeign(all, done)
  const applied: string[] = []
  for (const migration of wanted.filter(({ version }) => !done.has(version))) {
    log.info({ migration: fileName(migration) }, 'migrating')
    await withGrantHint(client, () => apply(client, migration))
    applied.push(fileName(migration))
  }
  return applied
}

async function apply(client: pg.PoolClient, { version, name, sql, checksum, transactional }: Migration): Promise<void> {
  const record = () =>
    client.query('insert into schema_migrations (version, name, checksum) values ($1, $2, $3)', [
      version,
      name,
      checksum,
    ])
  if (!transactional) {
    await client.query(sql)
    await record()
    return
  }
  await client.query('begin')
  try {
    await client.query(sql)
    await record()
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

/** The log must be neither newer than this code nor made by other files than these. */
function refuseForeign(all: readonly Migration[], done: ReadonlyMap<number, string>): void {
  const newest = all.at(-1)?.version ?? 0
  for (const [version, checksum] of done) {
    const file = all.find(migration => migration.version === version)
    if (file === undefined)
      throw new AppError(
        'schema_mismatch',
        `The database is at migration ${version}, this code knows migrations up to ${newest}. Nothing was changed. Start a newer version of the runtime.`,
      )
    if (file.checksum !== checksum)
      throw new AppError(
        'schema_mismatch',
        `Migration ${fileName(file)} was changed after it was applied. Nothing was changed. Restore the file; changes go into a new migration.`,
      )
  }
}

async function appliedVersions(client: Pick<pg.ClientBase, 'query'>): Promise<ReadonlyMap<number, string>> {
  const { rows } = await client.query<{ version: number; checksum: string }>(
    'select version, checksum from schema_migrations order by version',
  )
  return new Map(rows.map(({ version, checksum }) => [version, checksum]))
}

/** Turns "permission denied" into the statement that would permit it. */
async function withGrantHint(client: pg.PoolClient, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (sqlState(error) !== '42501' || !(error instanceof pg.DatabaseError)) throw error
    const { rows } = await client.query('select current_user as role, current_database() as database')
    const role = pg.escapeIdentifier(String(rows[0]?.role))
    const database = pg.escapeIdentifier(String(rows[0]?.database))
    const table = /must be owner of (?:table|sequence|function|view) (\S+)/.exec(error.message)?.[1]
    const statement =
      table === undefined
        ? `grant create, usage on schema public to ${role}; grant create on database ${database} to ${role};`
        : `alter table ${table} owner to ${role};`
    throw new AppError(
      'missing_grant',
      `The role ${role} may not migrate (${error.message}). Nothing was changed. As an administrator run: ${statement}`,
      { cause: error },
    )
  }
}

async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter(name => /^\d{3}_[a-z0-9_]+\.sql$/.test(name)).sort()
  return Promise.all(
    files.map(async file => {
      const sql = await readFile(path.join(directory, file), 'utf8')
      return {
        version: Number(file.slice(0, 3)),
        name: file.slice(4, -4),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
        transactional: !/^\s*--\s*no-transaction/.test(sql),
      }
    }),
  )
}

function fileName({ version, name }: Migration): string {
  return `${String(version).padStart(3, '0')}_${name}.sql`
}
