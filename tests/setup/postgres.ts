/** A private Postgres server for one run of the suites, with a migrated database to clone. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startPostgres } from '../../src/embedded/postgres.ts'
import { migrate } from '../../src/eventstore/migrate.ts'
import { serverFolder } from '../support/temporary-folder.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the server's administrative database. */
    postgres: string
    /** Folder of its programs; empty for the embedded ones. */
    postgresBinaries: string
  }
}

export const TEMPLATE = 'rootstream_template'

/** @param binDir programs to run, default the embedded ones */
export async function providePostgres(project: TestProject, binDir: string): Promise<() => Promise<void>> {
  const folder = await serverFolder('test')
  const server = await startPostgres({
    dataDir: path.join(folder, 'postgres'),
    ...(binDir === '' ? {} : { binDir }),
    // The suites kill processes, not machines: nothing here has to survive a power cut.
    settings: {
      fsync: 'off',
      full_page_writes: 'off',
      max_connections: '400',
      shared_buffers: '64MB',
      max_wal_size: '256MB',
    },
  })
  const stop = async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  const onSignal = () => void stop().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query(`create database ${TEMPLATE}`)
  await client.end()
  const template = new URL(server.url)
  template.pathname = `/${TEMPLATE}`
  await migrate({ url: template.href })
  project.provide('postgres', server.url)
  project.provide('postgresBinaries', binDir)
  return async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
    await stop()
  }
}
