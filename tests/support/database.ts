/** Databases of a test's own on the server of the run, and servers of its own for what breaks servers. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/embedded/postgres.ts'
import { TEMPLATE } from '../setup/postgres.ts'
import { serverFolder } from './temporary-folder.ts'

export interface TestDatabase {
  readonly url: string
  readonly name: string
  drop(): Promise<void>
}

/** A migrated database, or an empty one. */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`
  await administer(`create database ${name} template ${options.empty ? 'template0' : TEMPLATE}`)
  if (!options.empty) await administer('update installation set id = gen_random_uuid()', name)
  return { url: urlOf(name), name, drop: () => administer(`drop database ${name} with (force)`) }
}

/** Address of a database on the server of the run. */
function urlOf(name: string): string {
  const url = new URL(inject('postgres'))
  url.pathname = `/${name}`
  return url.href
}

async function administer(sql: string, database = 'postgres'): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(database) })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

export interface OwnPostgres {
  readonly url: string
  readonly pid: number
  readonly dataDir: string
  /** SIGKILL to the server, as a crash of its machine would look to clients. */
  kill9(): Promise<void>
  /** In order, as an administrator would: sessions are ended, everything is written. */
  stop(): Promise<void>
  /** Starts it again on the same port. */
  restart(): Promise<void>
  remove(): Promise<void>
}

/** A server of the same version as the run's, for a test that breaks it. Its data lies in a folder of its own, or in a given one. */
export async function ownPostgres(settings: Record<string, string> = {}, given?: string): Promise<OwnPostgres> {
  const folder = given ?? (await serverFolder('own'))
  const binDir = inject('postgresBinaries')
  const start = (port?: number): Promise<PostgresServer> =>
    startPostgres({
      dataDir: path.join(folder, 'postgres'),
      ...(binDir === '' ? {} : { binDir }),
      settings: { ...settings, ...(port === undefined ? {} : { port: String(port) }) },
    })
  let server = await start()
  const { url, port } = server
  return {
    url,
    get pid() {
      return server.pid
    },
    dataDir: server.dataDir,
    kill9: async () => {
      // Each backend is a process of its own that outlives the postmaster for a moment, and may still commit.
      const backends = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ')
      for (const pid of [server.pid, ...backends.map(Number)])
        try {
          process.kill(pid, 'SIGKILL')
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
        }
      await server.stop()
    },
    stop: () => server.stop(),
    restart: async () => {
      server = await start(port)
    },
    remove: async () => {
      await server.stop()
      if (given === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}
