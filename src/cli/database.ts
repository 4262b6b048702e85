/** Gives a command its database: the configured one, the one a running node has, or the embedded one for as long as it takes. */
import { chmodSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Config } from '../config.ts'
import type { Logger } from '../core/ports.ts'
import { runningPostgres, startPostgres } from '../embedded/postgres.ts'

export async function withDatabase<Result>(
  config: Config,
  log: Logger,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  if (config.database !== undefined) return work(config.database)
  const dataDir = path.join(prepareHome(config.home), 'postgres')
  const running = await runningPostgres(dataDir)
  if (running !== undefined) return work(running.url)
  const server = await startPostgres({ dataDir, log })
  try {
    return await work(server.url)
  } finally {
    await server.stop()
  }
}

/** The node's own directory: nobody else may look into it, but the user that runs Postgres for root must get through. */
export function prepareHome(home: string): string {
  mkdirSync(home, { recursive: true })
  chmodSync(home, process.getuid?.() === 0 ? 0o711 : 0o700)
  return home
}
