import { createMemoryEventStore, createMemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { registerConformance } from './register.conformance.ts'

registerConformance('in memory', async () => {
  const log = createMemoryLog()
  return { open: async (clock, node) => createMemoryEventStore({ node, clock, log }), close: async () => {} }
})
