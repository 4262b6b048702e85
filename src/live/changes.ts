/** Tells listeners of changed figures, once for all changes within a window. */
import type { Logger } from '../core/ports.ts'
import type { LiveValue } from '../machines/live-fields.ts'
import { createTopics } from '../sync/patterns.ts'
import type { LiveDocument } from './document.ts'

export interface LiveChange {
  readonly type: string
  readonly id: number
  readonly field: string
  /** Merged over all nodes. */
  readonly value: LiveValue
}

export interface Changes {
  subscribe(pattern: string, listener: (change: LiveChange) => void): () => void
  add(document: LiveDocument, field: string): void
  emit(): void
}

export function createChanges(isAlive: (writer: string) => boolean, log: Logger): Changes {
  const topics = createTopics<LiveChange>({ log })
  const changed = new Map<LiveDocument, Set<string>>()
  let listeners = 0
  return {
    subscribe(pattern, listener) {
      const cancel = topics.subscribe(pattern, listener)
      listeners++
      let over = false
      return () => {
        if (!over) listeners--
        over = true
        cancel()
      }
    },
    add(document, field) {
      if (listeners === 0) return
      const fields = changed.get(document)
      if (fields === undefined) changed.set(document, new Set([field]))
      else fields.add(field)
    },
    emit() {
      const now = [...changed]
      changed.clear()
      for (const [document, fields] of now)
        for (const field of fields) {
          const value = document.value(field, isAlive)
          if (value !== undefined)
            topics.emit(`${document.type}.${field}`, { type: document.type, id: document.id, field, value })
        }
    },
  }
}
