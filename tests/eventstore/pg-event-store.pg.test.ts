import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventStoreConformance } from './event-store.conformance.ts'

eventStoreConformance('Postgres', async () => {
  const database = await createTestDatabase()
  return {
    open: clock => createPgEventStore({ url: database.url, node: 'test', clock, log: silentLogger, poolSize: 4 }),
    close: () => database.drop(),
  }
})
