/** Gives a command its database: the configured one, the one a running node has, or the embedded one for as long as it takes. */
import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Config } from '../config.ts'
import { AppError } from '../core/errors.ts'
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

/**
 * The node's own directory: nobody else may look into it, but the user that runs Postgres for root must get through.
 * Throws AppError `setup_failed`.
 */
export function prepareHome(home: string): string {
  try {
    mkdirSync(home, { recursive: true })
    chmodSync(home, process.getuid?.() === 0 ? 0o711 : 0o700)
    accessSync(home, constants.W_OK | constants.X_OK)
    return home
  } catch (error) {
    throw new AppError(
      'setup_failed',
      `The directory of the node, ${home}, cannot be used (${(error as Error).message}). Nothing was changed. Make it writable for this user, or set ROOTSTREAM_HOME to another.`,
      { cause: error },
    )
  }
}
