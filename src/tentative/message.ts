/** What nodes tell each other of events that are in no log yet, as it travels: bounded by its writer, parsed as hostile input. */

import { z } from 'zod'
import { chunksOf } from '../core/chunks.ts'
import { isTooDeep } from '../core/json.ts'
import type { VersionVector } from '../core/version-vector.ts'
import { type SharedEntry, sharedEntry } from '../journal/journal-entry.ts'

/** A message is closed before it grows beyond this many characters. */
const MAX_CHARACTERS = 256 * 1024
const MAX_ENTRIES = 1_024
const MAX_RANGES = 4_096
const MAX_SOURCES = 4_096

/** From and to, both included. */
export type Range = readonly [from: number, to: number]

export type TentativeMessage =
  /** Of the sender's own. */
  | { readonly kind: 'entries'; readonly entries: readonly Shared[] }
  /** These of the sender's own need not be kept any more: what became of them is in the log by that version of their actor. */
  | { readonly kind: 'settled'; readonly settled: readonly (readonly [n: number, version: number])[] }
  | ({ readonly kind: 'vector' } & Standing)
  /** The sender stops in good order. */
  | { readonly kind: 'leave' }

export interface Shared {
  readonly entry: SharedEntry
  /** The sender's last before it that was pending when this was sent; 0 for none. */
  readonly after: number
}

/** Where a node stands. */
export interface Standing {
  /** Its own that are pending, in ranges; what is up to `last` and not here is settled. */
  readonly pending: readonly Range[]
  readonly last: number
  /** Earlier starts of its node that still have pending ones. */
  readonly prior: readonly string[]
  /** What it holds of others. */
  readonly held: VersionVector
  /** The newest start of each node that it heard of: earlier ones are over. */
  readonly newest: ReadonlyMap<string, number>
}

const n = z.int().positive()
const source = z.string().min(1).max(300)

const message = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('entries'),
    entries: z
      .array(
        z
          .object({ entry: sharedEntry, after: z.int().nonnegative() })
          .refine(({ entry, after }) => after < entry.n && !isTooDeep(entry.data)),
      )
      .min(1)
      .max(MAX_ENTRIES),
  }),
  z.object({
    kind: z.literal('settled'),
    settled: z
      .array(z.tuple([n, z.int().nonnegative()]))
      .min(1)
      .max(MAX_RANGES),
  }),
  z.object({ kind: z.literal('leave') }),
  z.object({
    kind: z.literal('vector'),
    pending: z.array(z.tuple([n, n])).max(MAX_RANGES),
    last: z.int().nonnegative(),
    prior: z.array(source).max(MAX_RANGES),
    held: z.array(z.tuple([source, n])).max(MAX_SOURCES),
    newest: z.array(z.tuple([source, z.int().nonnegative()])).max(MAX_SOURCES),
  }),
])

/** As JSON, in as few messages as the bounds allow. */
export function* encodeEntries(entries: Iterable<Shared>): Generator<string> {
  let texts: string[] = []
  let size = 0
  const close = () => {
    const text = `{"kind":"entries","entries":[${texts.join()}]}`
    texts = []
    size = 0
    return text
  }
  for (const { entry, after } of entries) {
    const { doubtful: _, causation: __, correlation: ___, ...shared } = entry as SharedEntry & Record<string, unknown>
    const text = JSON.stringify({ entry: shared, after })
    if (texts.length > 0 && size + text.length > MAX_CHARACTERS) yield close()
    texts.push(text)
    size += text.length
    if (texts.length >= MAX_ENTRIES) yield close()
  }
  if (texts.length > 0) yield close()
}

export function* encodeSettled(settled: readonly (readonly [n: number, version: number])[]): Generator<string> {
  for (const some of chunksOf(settled, MAX_RANGES)) yield JSON.stringify({ kind: 'settled', settled: some })
}

/** Where there are more ranges than may travel, only the first are told, and `last` ends with them. */
export function encodeStanding({ pending, last, prior, held, newest }: Standing): string {
  const told = pending.slice(0, MAX_RANGES)
  return JSON.stringify({
    kind: 'vector',
    pending: told,
    last: told.length < pending.length ? (told.at(-1)?.[1] ?? 0) : last,
    prior: prior.slice(0, MAX_RANGES),
    held: [...held].slice(0, MAX_SOURCES),
    newest: [...newest].slice(-MAX_SOURCES),
  })
}

/** Undefined where it has not the form of a message. */
export function parseTentative(payload: unknown): TentativeMessage | undefined {
  const parsed = message.safeParse(payload).data
  if (parsed?.kind !== 'vector') return parsed
  return { ...parsed, held: new Map(parsed.held), newest: new Map(parsed.newest) }
}
