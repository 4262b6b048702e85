/** Events as a test appends them, where only the log matters. */
import type { NewEvent } from '../../src/core/event.ts'
import { actorId } from '../../src/core/ids.ts'
import type { EventStore } from '../../src/core/ports.ts'

export function noted(data: NewEvent['data'], at = '2026-01-01T00:00:00.500Z'): NewEvent {
  return {
    type: 'note.taken',
    schemaVersion: 1,
    data,
    state: 'taken',
    at,
    userId: 7,
    commandId: null,
    causation: null,
    correlation: 'request "1"',
  }
}

/** As many actors with one event each, in this order. */
export async function appendNotes(store: EventStore, count: number): Promise<void> {
  for (let n = 0; n < count; n++)
    await store.append({
      actor: { type: 'note', id: actorId(await store.nextId('note')) },
      expectedVersion: 0,
      events: [noted({ n, ratio: n / 3, text: 'päper "and" ink', nested: { b: [1, null, true], a: {} } })],
    })
}
