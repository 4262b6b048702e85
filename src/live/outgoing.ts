/** What this node has to tell the others: the newest of each figure it wrote, and whole lists where they ask. */
import type { Bus } from '../core/ports.ts'
import type { LiveDocument } from './document.ts'
import { type Delta, deltaOf, encodeDeltas } from './message.ts'

export interface Outgoing {
  /** A field this node wrote; sent with the next `flush`. */
  add(document: LiveDocument, field: string): void
  flush(): void
  send(deltas: Iterable<Delta>): void
  /** Messages since the start. */
  readonly sent: number
}

export function createOutgoing(self: string, bus: Bus): Outgoing {
  const unsent = new Map<LiveDocument, Set<string>>()
  let sent = 0
  const send = (deltas: Iterable<Delta>) => {
    for (const json of encodeDeltas(deltas)) {
      sent++
      bus.publishLive(json)
    }
  }
  return {
    add(document, field) {
      const fields = unsent.get(document)
      if (fields === undefined) unsent.set(document, new Set([field]))
      else fields.add(field)
    },
    flush() {
      const deltas: Delta[] = []
      for (const [document, fields] of unsent) {
        const entries = [...fields].flatMap(field => document.entries(self, field))
        if (entries.length > 0) deltas.push(deltaOf(document, entries))
      }
      unsent.clear()
      send(deltas)
    },
    send,
    get sent() {
      return sent
    },
  }
}
