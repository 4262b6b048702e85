/** The embedded Postgres. */
import type { TestProject } from 'vitest/node'
import { providePostgres } from './postgres.ts'

export function setup(project: TestProject): Promise<() => Promise<void>> {
  return providePostgres(project, '')
}
