/** The log beside the nodes of a test, read and written as they do: personal data sealed in it and open in front of it. */

import { createPgKeyTable } from '../../src/eventstore/personal-key-table.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { PersonalKeys } from '../../src/privacy/personal-keys.ts'
import { createPersonalStore } from '../../src/privacy/personal-store.ts'
import { systemClock } from '../../src/system-clock.ts'

export async function openedStore(options: Parameters<typeof createPgEventStore>[0]): Promise<PgEventStore> {
  const store = await createPgEventStore(options)
  const keys = new PersonalKeys({ table: createPgKeyTable(store.pool), clock: systemClock })
  return createPersonalStore({ store, keys, entities, log: silentLogger })
}
