/** Debian's Postgres. */
import type { TestProject } from 'vitest/node'
import { debianPostgres } from './debian.ts'
import { providePostgres } from './postgres.ts'

export function setup(project: TestProject): Promise<() => Promise<void>> {
  const binaries = debianPostgres()
  if (binaries === undefined)
    throw new Error('no Debian Postgres: run the suites by npm test, which installs it, or with --project pg18')
  return providePostgres(project, binaries)
}
