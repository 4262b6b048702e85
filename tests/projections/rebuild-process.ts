/** A rebuild as a process of its own, for a test to kill: says each chunk it has done, and waits to be told to go on. */
import { once } from 'node:events'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { item, note } from './item-entity.ts'

const store = await createPgEventStore({
  url: process.argv[2] ?? '',
  node: 'rebuilder',
  clock: systemClock,
  log: silentLogger,
})
await rebuild({
  // A store whose head takes a line of input: progress asks for it after each chunk.
  store: {
    ...store,
    head: async () => {
      process.stdout.write('chunk\n')
      await once(process.stdin, 'data')
      return store.head()
    },
  },
  pool: store.pool,
  entities: [item, note],
  log: silentLogger,
  onProgress: () => {},
})
await store.close()
process.stdin.destroy()
