import { createMemoryEventStore, createMemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { actorSystemConformance } from './actor-system.conformance.ts'

actorSystemConformance('the log in memory', async () => {
  const log = createMemoryLog()
  return {
    open: async clock => createMemoryEventStore({ node: 'test', clock, log }),
    close: async () => {},
  }
})
