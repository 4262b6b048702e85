import { createMemoryEventStore, createMemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { eventStoreConformance } from './event-store.conformance.ts'

eventStoreConformance('in memory', async () => {
  const log = createMemoryLog()
  return { open: async clock => createMemoryEventStore({ node: 'test', clock, log }), close: async () => {} }
})
