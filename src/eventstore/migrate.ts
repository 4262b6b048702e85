/** Brings a database to the schema this code needs: each migration once, in order, in a transaction of its own. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { silentLogger } from '../core/silent-logger.ts'
import { permission, sqlState, toAppError } from './pg-errors.ts'
import { withConnection } from './pool.ts'

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
  /** False where the file starts with `-- no-transaction`; it then holds one statement, which may be run again. */
  readonly transactional: boolean
}

const DIRECTORY = path.resolve(import.meta.dirname, '../../migrations')
/** The schema as a whole, for reading. */
const GENERATED = 'schema.sql'
// Any constant of our own: whoever migrates this database holds it.
const LOCK = '7236112046018'
const LOOK_AGAIN_MS = 100

/**
 * Applies what is missing; nodes that start at the same time wait for each other. Answers the names of the files applied.
 * Throws AppError `missing_grant` (says which), `schema_mismatch` (a newer database, a changed file), `setup_failed` (the
 * encoding), `log_unavailable`.
 */
export async function migrate({
  url,
  directory = DIRECTORY,
  to,
  log = silentLogger,
}: MigrateOptions): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(directory)
  const wanted = migrations.filter(({ version }) => to === undefined || version <= to)
  return withConnection(url, async client => {
    await refuseOtherEncodings(client)
    await takeTurn(client, log)
    // A table that somebody else keeps locked must not stop everyone behind us: better to fail and be run again.
    await client.query("set lock_timeout = '30s'")
    return { applied: await applyMissing(client, migrations, wanted, log) }
  })
}

/** Names and texts are of any script. SQL_ASCII keeps the bytes it is given. */
async function refuseOtherEncodings(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>("select current_setting('server_encoding') as encoding")
  const encoding = rows[0]?.encoding ?? ''
  if (encoding === 'UTF8' || encoding === 'SQL_ASCII') return
  throw new AppError(
    'setup_failed',
    `The database has the encoding ${encoding}, which cannot hold every text. Nothing was changed. Make one in UTF-8: create database … encoding 'UTF8' template template0;`,
  )
}

/**
 * One applier at a time; the lock goes with the connection. Asking again instead of waiting inside the server, because a
 * waiting statement holds a snapshot, and `create index concurrently` waits for every snapshot.
 */
async function takeTurn(client: pg.ClientBase, log: Logger): Promise<void> {
  for (let waited = false; ; waited = true) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as mine', [LOCK])
    if (rows[0]?.mine) return
    if (!waited) log.info({}, 'waiting for another node that migrates this database')
    await delay(LOOK_AGAIN_MS)
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

/**
 * Answers the newest migration the database has. Writes nothing. Throws AppError `schema_mismatch` where it has one
 * that this code does not have, or has otherwise.
 */
export async function refuseForeignSchema(
  client: Pick<pg.ClientBase, 'query'>,
  directory: string = DIRECTORY,
): Promise<number> {
  const done = await appliedVersions(client).catch(error => {
    throw toAppError(error)
  })
  refuseForeign(await readMigrations(directory), done)
  return Math.max(0, ...done.keys())
}

async function applyMissing(
  client: pg.ClientBase,
  all: readonly Migration[],
  wanted: readonly Migration[],
  log: Logger,
): Promise<string[]> {
  await withGrantHint(client, '', () =>
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
    await withGrantHint(client, migration.sql, () => apply(client, migration))
    applied.push(fileName(migration))
  }
  return applied
}

async function apply(client: pg.ClientBase, { version, name, sql, checksum, transactional }: Migration): Promise<void> {
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

/** Turns "permission denied" into the statements that would permit it. */
async function withGrantHint(client: pg.ClientBase, sql: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (sqlState(error) !== '42501' || !(error instanceof Error)) throw error
    const { rows } = await client.query<{ role: string }>('select quote_ident(current_user) as role')
    const role = rows[0]?.role ?? ''
    const owned = /for (?:schema|database)/.test(error.message) ? [] : await ownershipStatements(client, sql, role)
    const statements = owned.length === 0 ? [permission(error.message, role)] : owned
    throw new AppError(
      'missing_grant',
      `The role ${role} may not migrate (${error.message}). Nothing was changed by this migration. As an administrator run: ${statements.join(' ')}`,
      { cause: error },
    )
  }
}

/** For what the migration works on and the role does not own: all of it, so that nobody is sent to the administrator nine times. */
async function ownershipStatements(client: pg.ClientBase, sql: string, role: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ statement: string }>(
    `select format('alter table %I owner to %s;', c.relname, $2::text) as statement
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and not pg_has_role(c.relowner, 'usage') and $1 ~ format('\\m%s\\M', c.relname)
    union all
    select format('alter function %s owner to %s;', p.oid::regprocedure, $2::text)
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and not pg_has_role(p.proowner, 'usage') and $1 ~ format('\\m%s\\M', p.proname)`,
    [sql, role],
  )
  return rows.map(({ statement }) => statement)
}

async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter(name => name.endsWith('.sql') && name !== GENERATED).sort()
  for (const [index, name] of files.entries())
    if (!/^\d{3}_[a-z0-9_]+\.sql$/.test(name) || name.slice(0, 3) === files[index - 1]?.slice(0, 3))
      throw new Error(`migrations are named NNN_name.sql, each with a number of its own: ${name}`)
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
