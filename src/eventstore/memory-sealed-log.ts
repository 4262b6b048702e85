/** Seals over the log in memory: the same chain, kept until the process ends. */
import type { LogEvent } from '../core/event.ts'
import type { SealedLog } from '../core/ports.ts'
import type { Seal, StoredEvent } from '../core/seal.ts'
import type { MemoryLog } from './memory-event-store.ts'

export function createMemorySealedLog({ events }: MemoryLog): SealedLog {
  const seals: Seal[] = []
  return {
    // Positions are 1, 2, 3, … here.
    stored: async (after, limit) => events.slice(Math.max(0, after), Math.max(0, after) + limit).map(toStored),
    countAfter: async position => Math.max(0, events.length - position),
    head: async () => events.length,
    lastSeal: async () => seals.at(-1),
    seals: async (after, limit) => seals.slice(after, after + limit),
    addSeal: async seal => {
      if (seal.number !== seals.length + 1) return false
      seals.push(seal)
      return true
    },
  }
}

function toStored(event: LogEvent): StoredEvent {
  const text = (value: number | null) => (value === null ? null : String(value))
  return [
    String(event.position),
    event.actorType,
    String(event.actorId),
    String(event.version),
    event.type,
    String(event.schemaVersion),
    JSON.stringify(event.data),
    event.state,
    event.at.replace(/(\.\d*?)0+Z$/, '$1Z').replace('.Z', 'Z'),
    event.node,
    String(event.incarnation),
    String(event.n),
    text(event.userId),
    event.commandId,
    text(event.causation),
    event.correlation,
    text(event.token),
    event.origin === undefined ? null : JSON.stringify(event.origin),
  ]
}
