/** The log beside the nodes of a test, read and written as they do: personal data sealed in it and open in front of it. They have the keys of tests. */

import type { Clock } from '../../src/core/ports.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { openPersonalLog } from '../../src/node-log.ts'
import { systemClock } from '../../src/system-clock.ts'
import { TEST_KEYS } from './test-keys.ts'

/** @param clock by which keys are kept */
export async function openedStore(
  options: Parameters<typeof createPgEventStore>[0],
  clock: Clock = systemClock,
): Promise<PgEventStore> {
  const inner = await createPgEventStore(options)
  const { store } = await openPersonalLog(inner, { keys: TEST_KEYS, entities, clock, log: silentLogger })
  return store
}
