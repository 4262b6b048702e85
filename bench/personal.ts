/** What sealing personal data costs a node: the same events appended to a log in memory and read back, sealed and in the clear. */

import { createKeyRing } from '../src/auth/key-ring.ts'
import { newKey } from '../src/auth/key-text.ts'
import { actorRef } from '../src/core/ids.ts'
import type { EventStore } from '../src/core/ports.ts'
import { createMemoryEventStore } from '../src/eventstore/memory-event-store.ts'
import { entities } from '../src/machines/index.ts'
import { createMemoryKeyTable } from '../src/privacy/memory-key-table.ts'
import { PersonalKeys } from '../src/privacy/personal-keys.ts'
import { createPersonalStore } from '../src/privacy/personal-store.ts'
import { systemClock } from '../src/system-clock.ts'
import type { Bench } from './bench.ts'
import { compare } from './measure.ts'
import { SILENT } from './silent.ts'

const USERS = 1_000

export const personal: Bench = async ({ server, quick, progress }) => {
  const events = quick ? 20_000 : 200_000
  const sides = (['sealed', 'in the clear'] as const).flatMap(how => {
    let written: EventStore | undefined
    return [
      {
        name: `append ${how}`,
        run: async () => {
          written = open(how)
          return append(written, events)
        },
      },
      { name: `read ${how}`, run: async () => readAll(written ?? open(how)) },
    ]
  })
  const { figures, ratio } = await compare(sides, { rounds: 5, postmaster: server.pid, progress })
  return {
    ours: { append: figures.get('append sealed'), read: figures.get('read sealed') },
    peers: { append: figures.get('append in the clear'), read: figures.get('read in the clear') },
    ratio: {
      appendSealedToClear: ratio('append sealed', 'append in the clear'),
      readSealedToClear: ratio('read sealed', 'read in the clear'),
    },
    unit: 'events that edit a profile',
    events,
  }
}

function open(how: 'sealed' | 'in the clear'): EventStore {
  const store = createMemoryEventStore({ node: 'bench', clock: systemClock })
  if (how === 'in the clear') return store
  const keys = new PersonalKeys({
    table: createMemoryKeyTable(),
    clock: systemClock,
    wrapping: createKeyRing([newKey(systemClock.now())]),
  })
  return createPersonalStore({ store, keys, entities, log: SILENT })
}

async function append(store: EventStore, count: number): Promise<number> {
  const at = '2026-01-01T00:00:00.000Z'
  for (let n = 0; n < count; n++) {
    const id = (n % USERS) + 1
    const data = { displayName: `User number ${n}`, avatarUrl: `https://example.org/avatars/${n}.png` }
    const event = { type: 'user.updated', schemaVersion: 1, data, state: 'active', at, userId: id, commandId: null }
    const { outcome } = await store.append({
      actor: actorRef('user', id),
      expectedVersion: Math.floor(n / USERS),
      events: [{ ...event, causation: null, correlation: null }],
      json: [JSON.stringify(data)],
      subject: id,
    })
    if (outcome !== 'appended') throw new Error(`an append was ${outcome}`)
  }
  return count
}

async function readAll(store: EventStore): Promise<number> {
  for (let after = 0; ; ) {
    const page = await store.readAll(after, 5_000)
    after = page.at(-1)?.position ?? after
    if (page.length < 5_000) return after
  }
}
