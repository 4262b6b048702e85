import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase } from '../support/database.ts'
import { registerConformance } from './register.conformance.ts'

registerConformance('Postgres', async () => {
  const database = await createTestDatabase()
  return {
    open: (clock, node) => createPgEventStore({ url: database.url, node, clock, log: silentLogger, poolSize: 3 }),
    close: () => database.drop(),
  }
})
