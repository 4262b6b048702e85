/** The server all sides of a benchmark share: a Postgres of its own in a private folder, as `npm start` runs it. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { startPostgres } from '../src/embedded/postgres.ts'
import { migrate } from '../src/eventstore/migrate.ts'
import { SILENT } from './silent.ts'

export interface BenchServer {
  readonly version: string
  /** Pid of the postmaster. */
  readonly pid: number
  /** A migrated database. */
  database(): Promise<string>
  /** An empty one, for a peer. */
  emptyDatabase(): Promise<string>
  stop(): Promise<void>
}

export async function startBenchServer(): Promise<BenchServer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rootstream-bench-'))
  // A server that root starts runs as another user, who has to get through.
  await chmod(folder, 0o711)
  const server = await startPostgres({
    dataDir: path.join(folder, 'postgres'),
    // What the server does by itself in the background, and what a checkpoint makes each first write after it cost,
    // cannot be told apart by side.
    settings: { autovacuum: 'off', max_wal_size: '8GB', checkpoint_timeout: '1h' },
  })
  const create = async (): Promise<string> => {
    const name = `bench_${randomBytes(6).toString('hex')}`
    await once(server.url, `create database ${name}`)
    const url = new URL(server.url)
    url.pathname = `/${name}`
    return url.href
  }
  const [row] = await once(server.url, "select current_setting('server_version') as version")
  return {
    version: String(row?.version),
    pid: server.pid,
    database: async () => {
      const url = await create()
      await migrate({ url, log: SILENT })
      return url
    },
    emptyDatabase: create,
    stop: async () => {
      await everyoneLeft(server.url)
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Pools that were ended close their connections a moment later; one that is cut instead ends the process of its owner. */
async function everyoneLeft(url: string): Promise<void> {
  const deadline = Date.now() + 5_000
  for (;;) {
    const others = await once(
      url,
      "select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
    if (others.length === 0 || Date.now() > deadline) return
  }
}

/** One statement on a connection of its own. */
export async function once(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
