/** Stores and databases that a test opens as it goes, closed and dropped after it. */
import { afterEach } from 'vitest'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase } from '../support/database.ts'

/** Run after each test, the last first. */
export const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export async function open(url: string, patienceMs?: number): Promise<PgEventStore> {
  const store = await createPgEventStore({
    url,
    node: 'test',
    clock: systemClock,
    log: silentLogger,
    poolSize: 3,
    ...(patienceMs === undefined ? {} : { patienceMs }),
  })
  cleanups.push(() => store.close())
  return store
}

export async function database(): Promise<string> {
  const made = await createTestDatabase()
  cleanups.push(() => made.drop())
  return made.url
}
