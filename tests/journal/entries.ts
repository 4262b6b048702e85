/** Journal entries for tests. */
import type { JournalEntry } from '../../src/journal/journal-entry.ts'

export function journalEntry(n: number, changes: Partial<JournalEntry> = {}): JournalEntry {
  return {
    actorType: 'user',
    actorId: 1,
    basis: 3,
    doubtful: null,
    type: 'user.updated',
    schemaVersion: 1,
    data: { displayName: `Ada ${n}` },
    observed: null,
    state: 'active',
    at: '2026-01-01T12:00:00.000Z',
    clock: '1',
    userId: null,
    commandId: null,
    causation: null,
    correlation: null,
    node: 'a',
    incarnation: 7,
    n,
    ...changes,
  }
}
