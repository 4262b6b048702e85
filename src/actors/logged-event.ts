/** An event of the log as merging sees it: who wrote it, what it says in today's shape, and what its writer knew. */
import type { LogEvent } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import { sourceOf } from '../core/source.ts'
import type { Dot } from '../core/version-vector.ts'
import type { JournalEntry, SharedEntry } from '../journal/journal-entry.ts'
import { upcast } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import type { OffsideEvent } from '../merge/merge-event.ts'
import type { KnownEvent, PendingEvent } from '../merge/rebase.ts'
import { clockOf } from './offside-clock.ts'

/** Source of what was decided on the log itself: its place there says all that a dot could. */
const LOG = 'log'

export function loggedEvent(entity: EntityDefinition, event: LogEvent): KnownEvent {
  const { origin, version } = event
  const dot: Dot = origin === undefined ? [LOG, version] : [sourceOf(origin), origin.n]
  return {
    version,
    dot,
    extra: origin?.extra ?? [],
    event: {
      type: event.type,
      data: upcast(entity, event),
      clock: clockOf(event),
      node: origin?.node ?? event.node,
      ...(origin?.observed === undefined ? undefined : { observed: origin.observed }),
    },
  }
}

/** Throws AppError `schema_mismatch`, `unknown_type`: accepted by newer code. */
export function pendingEvent(entity: EntityDefinition, entry: JournalEntry | SharedEntry): PendingEvent {
  const { basis, extra = [], at } = entry
  return { dot: [sourceOf(entry), entry.n], basis, extra, at, event: offsideOf(entry, upcastEntry(entity, entry)) }
}

/** What it says in today's shape. */
export function upcastEntry(entity: EntityDefinition, entry: JournalEntry | SharedEntry): JsonObject {
  return upcast(entity, { ...entry, version: 0, position: 0 } as unknown as LogEvent)
}

function offsideOf({ type, clock, node, observed }: JournalEntry | SharedEntry, data: JsonObject): OffsideEvent {
  return { type, data, clock, node, ...(observed === null ? undefined : { observed }) }
}
