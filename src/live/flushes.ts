/** What of live figures the log has been told, and what it is to be told next. Pure bookkeeping. */
import type { LogEvent } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import { canonicalJson } from '../core/state.ts'
import type { OutgoingEvent } from '../machines/define.ts'
import type { LiveDocument } from './document.ts'

interface Last {
  readonly type: string
  readonly data: JsonObject
  /** Of the document when the log was told. */
  readonly hash: number
}

interface Told {
  /** The last event of each type, the oldest first: a list, for they are few and documents many. */
  readonly events: Last[]
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
    const told: Told = { events: [], at: now - document.definition.flushMs }
    documents.set(document, told)
    return told
  }
  return {
    due(document, isAlive) {
      const told = documents.get(document)
      const order = told?.events.map(({ type }) => type) ?? []
      const values = document.values(isAlive)
      return Object.entries(document.definition.flush)
        .flatMap(([type, make]) => {
          const data = make(values)
          const last = told?.events.find(event => event.type === type)
          return data === undefined || (last !== undefined && says(last, data, document)) ? [] : [{ ...data, type }]
        })
        .sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type))
    },
    age: (document, now) => now - find(document, now).at,
    told(document, event, now) {
      const told = find(document, now)
      told.at = now
      if (event === undefined) return
      const data = 'actorType' in event ? (event as LogEvent).data : dataOf(event)
      const { events } = told
      const known = events.findIndex(({ type }) => type === event.type)
      if (known !== -1) events.splice(known, 1)
      // As it is: this is called with each event of the log, and a comparison is asked for once an interval.
      events.push({ type: event.type, data, hash: document.hash })
    },
  }
}

function dataOf({ type: _, ...data }: OutgoingEvent): JsonObject {
  return data as JsonObject
}

/** Whether the log was told the same. An event without data says only when: it is new where anything of the document is. */
function says(last: Last, data: JsonObject, document: LiveDocument): boolean {
  if (canonicalJson(last.data) !== canonicalJson(data)) return false
  return Object.keys(data).length > 0 || last.hash === document.hash
}
