/** What a node offers of events that are in no log yet: its own, told to the others, and theirs. */
import type { LogEvent } from '../core/event.ts'
import type { Service } from '../core/ports.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import type { Held } from './others.ts'

export interface TentativeStats {
  /** Of this node, not in the log yet. */
  readonly own: number
  /** Of others that this node shows. */
  readonly others: number
  /** Heard of others, and held back for what they rest on. */
  readonly waiting: number
  readonly bytes: number
  readonly sent: number
  readonly received: number
  readonly malformed: number
  /** Of a node that is not the sender and speaks for itself, of a start that is over, or of a clock far ahead. */
  readonly refused: number
  /** No room, or of code that this node does not have. Their writers bring them to the log all the same. */
  readonly dropped: number
  readonly repairs: number
}

/** What the actors of a node see of it. */
export interface TentativeExchange extends Service {
  /** These are on this node's disk. */
  accepted(entries: readonly JournalEntry[]): void
  /** An earlier start of this node accepted it. */
  restored(entry: JournalEntry): void
  /** What became of it is in the log by that version of its actor. */
  settled(entry: JournalEntry, version: number): void
  /** Events of the log that were heard or read. */
  logged(events: readonly LogEvent[]): void
  of(type: string, id: number): readonly Held[]
  isWaitingFor(type: string, id: number): boolean
  release(gone: readonly Held[]): void
  sweep(isInMemory: (type: string, id: number) => boolean): void
  stats(): TentativeStats
}
