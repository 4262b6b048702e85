/** `npm run docs`: writes what can be told from the code. With `--check` it only compares what needs no database. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { startPostgres } from '../src/embedded/postgres.ts'
import { migrate } from '../src/eventstore/migrate.ts'
import { withConnection } from '../src/eventstore/pool.ts'
import { entities } from '../src/machines/index.ts'
import { errorsPage } from './reference/errors.ts'
import { eventsPage } from './reference/events.ts'
import { machinesPage } from './reference/machines.ts'
import { permissionsPage } from './reference/permissions.ts'
import { dumpSchema } from './reference/schema.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const SCHEMA = 'migrations/schema.sql'

const pages: Readonly<Record<string, string>> = {
  'docs/reference/machines.md': machinesPage(entities),
  'docs/reference/events.md': eventsPage(entities),
  'docs/reference/errors.md': errorsPage(),
  'docs/reference/permissions.md': permissionsPage(),
}

if (process.argv.includes('--check')) check()
else {
  for (const [file, text] of Object.entries(pages)) write(file, text)
  write(SCHEMA, await freshSchema())
}

function check(): void {
  const stale = Object.entries(pages).filter(([file, text]) => read(file) !== text)
  for (const [file] of stale) process.stderr.write(`${file} is not what the code says. Run: npm run docs\n`)
  if (stale.length > 0) process.exitCode = 1
}

function write(file: string, text: string): void {
  if (read(file) === text) return
  writeFileSync(path.join(ROOT, file), text)
  process.stdout.write(`${file} written\n`)
}

function read(file: string): string | undefined {
  try {
    return readFileSync(path.join(ROOT, file), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function freshSchema(): Promise<string> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rootstream-docs-'))
  // Root's Postgres runs as another user, which has to pass through.
  chmodSync(folder, 0o711)
  try {
    const server = await startPostgres({ dataDir: path.join(folder, 'postgres'), settings: { fsync: 'off' } })
    try {
      await migrate({ url: server.url })
      return await withConnection(server.url, dumpSchema)
    } finally {
      await server.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
