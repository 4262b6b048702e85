/** The servers that Debian packages bring for the suites. */
import { existsSync, readdirSync } from 'node:fs'

const POSTGRES = '/usr/lib/postgresql'

/** Folder of the oldest installed Postgres from 15 on. */
export function debianPostgres(): string | undefined {
  if (!existsSync(POSTGRES)) return undefined
  return readdirSync(POSTGRES)
    .map(Number)
    .filter(major => major >= 15)
    .sort((a, b) => a - b)
    .map(major => `${POSTGRES}/${major}/bin`)
    .find(folder => existsSync(`${folder}/postgres`))
}

export function debianRedis(): boolean {
  return existsSync('/usr/bin/redis-server')
}
