/** What differs between a range of the log and the seal over it, event by event as far as the marks tell. */
import type { Seal, SealSummary } from '../core/seal.ts'
import { MARK, type RangeDigest } from './digest.ts'

export type FindingKind =
  | 'event_changed'
  | 'event_removed'
  | 'event_inserted'
  /** The seal is not the one that was written. */
  | 'seal_altered'
  | 'seal_missing'
  /** The seal does not continue the one before it. */
  | 'chain_broken'
  /** The log ends before an exported seal does. */
  | 'log_shorter'

export interface Finding {
  readonly kind: FindingKind
  /** Number of the seal. */
  readonly seal: number
  /** Its range, by the exported seal where there is one. */
  readonly first: number
  readonly last: number
  /** The first event that differs, where the marks tell it. */
  readonly position?: number
  /** How many of the range differ, where the marks tell it. */
  readonly changed?: number
  readonly removed?: number
  readonly inserted?: number
  /** The exported seals show it, the database alone does not. */
  readonly exported?: true
  readonly message: string
}

/** By the marks of a seal that is itself intact. */
export function locate(seal: Seal, range: RangeDigest): Finding {
  const expected = readMarks(seal.marks, seal.first)
  const found = range.tags()
  const counts = { changed: 0, removed: 0, inserted: 0 }
  let first: { position: number; kind: FindingKind } | undefined
  for (const position of [...new Set([...expected.keys(), ...found.keys()])].sort((a, b) => a - b)) {
    const [was, is] = [expected.get(position), found.get(position)]
    if (was === is) continue
    const how = was === undefined ? 'inserted' : is === undefined ? 'removed' : 'changed'
    counts[how]++
    first ??= { position, kind: `event_${how}` }
  }
  // Equal marks over unequal digests take a deliberate search for them.
  if (first === undefined) return byCount(seal, range, false)
  const what = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([how, count]) => `${count} ${how}`)
  const { kind, position } = first
  return {
    ...rangeOf(seal),
    kind,
    position,
    ...counts,
    message: `Seal ${seal.number} (positions ${seal.first} to ${seal.last}): the event at position ${position} was ${kind.slice(6)}; in this range ${what.join(', ')}.`,
  }
}

/** Where no marks can be trusted: more events than sealed, fewer, or as many. */
export function byCount(seal: SealSummary, range: RangeDigest, exported: boolean): Finding {
  const kind =
    range.events < seal.events ? 'event_removed' : range.events > seal.events ? 'event_inserted' : 'event_changed'
  return {
    ...rangeOf(seal),
    kind,
    ...(exported ? { exported } : {}),
    message: `${named(seal, exported)}: ${seal.events} events were sealed and ${range.events} are there, and they are not the same; the range is as near as ${exported ? 'an exported seal' : 'this seal'} tells.`,
  }
}

/** The range as a finding names it. */
export function rangeOf({ number, first, last }: SealSummary): Pick<Finding, 'seal' | 'first' | 'last'> {
  return { seal: number, first, last }
}

export function named({ number, first, last }: SealSummary, exported = false): string {
  return `${exported ? 'Exported seal' : 'Seal'} ${number} (positions ${first} to ${last})`
}

function readMarks(marks: Uint8Array, first: number): ReadonlyMap<number, number> {
  const view = Buffer.from(marks.buffer, marks.byteOffset, marks.byteLength)
  const read = new Map<number, number>()
  for (let at = 0; at + MARK <= view.length; at += MARK)
    read.set(first + view.readUInt32BE(at), view.readUInt32BE(at + 4))
  return read
}
