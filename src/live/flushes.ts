/** What of live figures the log has been told, and what it is to be told next. Pure bookkeeping. */
import type { LogEvent } from '../core/event.ts'
import { canonicalJson } from '../core/state.ts'
import type { OutgoingEvent } from '../machines/define.ts'
import type { LiveDocument } from './document.ts'

interface Told {
  /** Of the last event of each type its data as JSON, the oldest first: a list, for they are few and documents many. */
  data: readonly { readonly type: string; readonly json: string }[]
  /** Clock time of the last one. */
  at: number
}

export interface Flushes {
  /** Events that would tell the log something new; what was told longest ago comes first. */
  due(document: LiveDocument, isAlive: (writer: string) => boolean): readonly OutgoingEvent[]
  /** Milliseconds since the log was told anything of it; one that is new could have been told just now. */
  age(document: LiveDocument, now: number): number
  /** The log has the event, or another one of this interval. */
  told(document: LiveDocument, event: OutgoingEvent | LogEvent | undefined, now: number): void
}

export function createFlushes(): Flushes {
  const documents = new WeakMap<LiveDocument, Told>()
  const find = (document: LiveDocument, now: number) => {
    const known = documents.get(document)
    if (known !== undefined) return known
    const told: Told = { data: [], at: now - document.definition.flushMs }
    documents.set(document, told)
    return told
  }
  return {
    due(document, isAlive) {
      const told = documents.get(document)
      const order = told?.data.map(({ type }) => type) ?? []
      const values = document.values(isAlive)
      return Object.entries(document.definition.flush)
        .flatMap(([type, make]) => {
          const data = make(values)
          return data === undefined || told?.data.find(last => last.type === type)?.json === keyOf(data, document)
            ? []
            : [{ ...data, type }]
        })
        .sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type))
    },
    age: (document, now) => now - find(document, now).at,
    told(document, event, now) {
      const told = find(document, now)
      told.at = now
      if (event === undefined) return
      const data = 'actorType' in event ? (event as LogEvent).data : dataOf(event)
      const last = { type: event.type, json: keyOf(data, document) }
      told.data = [...told.data.filter(({ type }) => type !== event.type), last]
    },
  }
}

function dataOf({ type: _, ...data }: OutgoingEvent): LogEvent['data'] {
  return data as LogEvent['data']
}

/** An event without data says only when: it is new where anything of the document is. */
function keyOf(data: LogEvent['data'], document: LiveDocument): string {
  return Object.keys(data).length === 0 ? String(document.hash) : canonicalJson(data)
}
