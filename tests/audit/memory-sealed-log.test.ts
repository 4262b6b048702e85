import { createMemoryEventStore, createMemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { createMemorySealedLog } from '../../src/eventstore/memory-sealed-log.ts'
import { systemClock } from '../../src/system-clock.ts'
import { sealedLogConformance } from './sealed-log.conformance.ts'

sealedLogConformance('memory', async () => {
  const log = createMemoryLog()
  const store = createMemoryEventStore({ node: 'test', clock: systemClock, log })
  return { store, log: createMemorySealedLog(log), close: () => store.close() }
})
