/** What nodes tell each other of live figures, as it travels: written in pieces of bounded size, parsed as hostile input. */
import { z } from 'zod'
import type { LiveValue } from '../machines/live-fields.ts'
import { SHARDS } from './digest.ts'
import type { Entry, LiveDocument } from './document.ts'

/** A message is closed before it grows beyond this many characters. */
const MAX_CHARACTERS = 256 * 1024
const MAX_DOCUMENTS = 8_192
const MAX_ENTRIES = 8 * 256
/** Hashes in a message, a few more where several types have the same id. */
const HASHES = 6_000
const MAX_PIECES = 2 * SHARDS

/** Entries of one document. */
export interface Delta {
  readonly type: string
  readonly id: number
  readonly period: string
  readonly entries: readonly Entry[]
}

export function deltaOf({ type, id, period }: LiveDocument, entries: readonly Entry[]): Delta {
  return { type, id, period, entries }
}

/** The hash of all documents of one actor. */
export interface SubjectHash {
  readonly type: string
  readonly id: number
  readonly hash: number
}

/** All that a node holds in a shard, of the ids above `after` and up to `upTo`. */
export interface HashPiece {
  readonly shard: number
  readonly after: number
  readonly upTo: number
  readonly hashes: readonly SubjectHash[]
}

export type Message =
  | { readonly kind: 'delta'; readonly deltas: readonly Delta[] }
  /** One hash a shard: whoever has another one says in which. */
  | { readonly kind: 'digest'; readonly shards: readonly number[] }
  /** Shards in which the sender differs from the digest of `to`, which tells its hashes of single actors there. */
  | { readonly kind: 'differs'; readonly to: string; readonly shards: readonly number[] }
  /** Whoever holds anything else of these actors, or of others in the pieces, answers with that. */
  | { readonly kind: 'hashes'; readonly pieces: readonly HashPiece[] }
  /** The sender is alive, or stops in good order. */
  | { readonly kind: 'beat' | 'leave' }

type WireEntry = readonly [field: string, writer: number, n: number, value: LiveValue]
type WireDelta = readonly [type: string, id: number, period: string, entries: readonly WireEntry[]]

type WireHash = readonly [type: number, id: number, hash: number]
type WirePiece = readonly [shard: number, after: number, upTo: number, hashes: readonly WireHash[]]

const stamp = z.int().min(0)
const shard = z
  .int()
  .min(0)
  .max(SHARDS - 1)
const wireMessage = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('delta'),
    writers: z.array(z.string().min(1).max(220)).max(MAX_DOCUMENTS),
    deltas: z.custom<readonly WireDelta[]>(isDeltas),
  }),
  z.object({ kind: z.literal('digest'), shards: z.array(z.int32()).length(SHARDS) }),
  z.object({ kind: z.literal('differs'), to: z.string().min(1).max(220), shards: z.array(shard).min(1).max(SHARDS) }),
  z.object({
    kind: z.literal('hashes'),
    types: z.array(z.string().max(41)).max(256),
    pieces: z
      .array(z.tuple([shard, stamp, stamp, z.array(z.tuple([stamp, z.int().min(1), z.int32()])).max(2 * HASHES)]))
      .max(MAX_PIECES),
  }),
  z.object({ kind: z.enum(['beat', 'leave']) }),
])

/** By hand: a schema of tuples takes three times as long, and this is most of what a node hears. */
function isDeltas(deltas: unknown): boolean {
  if (!Array.isArray(deltas) || deltas.length > MAX_DOCUMENTS) return false
  for (const delta of deltas) {
    if (!Array.isArray(delta) || delta.length !== 4) return false
    const [type, id, period, entries] = delta as readonly unknown[]
    if (!isText(type, 41) || !isCount(id) || id < 1 || !isText(period, 100)) return false
    if (!Array.isArray(entries) || entries.length > MAX_ENTRIES) return false
    for (const entry of entries) if (!isEntry(entry)) return false
  }
  return true
}

function isEntry(entry: unknown): boolean {
  if (!Array.isArray(entry) || entry.length !== 4) return false
  const [field, writer, n, value] = entry as readonly unknown[]
  return isText(field, 60) && isCount(writer) && isCount(n) && (Number.isFinite(value) || isText(value, 1_000))
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === 'string' && value.length <= maxLength
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** As JSON. Only a list of deltas ever needs more than one message. */
export function* encodeDeltas(deltas: Iterable<Delta>): Generator<string> {
  let writers = new Map<string, number>()
  let texts: string[] = []
  let size = 0
  const close = () => {
    const text = `{"kind":"delta","writers":${JSON.stringify([...writers.keys()])},"deltas":[${texts.join(',')}]}`
    writers = new Map()
    texts = []
    size = 0
    return text
  }
  for (const { type, id, period, entries } of deltas) {
    const list: WireEntry[] = []
    for (const { field, writer, n, value } of entries) {
      let index = writers.get(writer)
      if (index === undefined) {
        index = writers.size
        writers.set(writer, index)
        size += writer.length
      }
      list.push([field, index, n, value])
    }
    const text = JSON.stringify([type, id, period, list] satisfies WireDelta)
    texts.push(text)
    size += text.length
    if (size > MAX_CHARACTERS || texts.length >= MAX_DOCUMENTS - 1) yield close()
  }
  if (texts.length > 0) yield close()
}

export function encodeDigest(shards: readonly number[]): string {
  return JSON.stringify({ kind: 'digest', shards })
}

export function encodeDiffers(to: string, shards: readonly number[]): string {
  return JSON.stringify({ kind: 'differs', to, shards })
}

/** As JSON, in as many messages as the bound asks for. @param held of each shard, in the order of the ids */
export function* encodeHashes(held: ReadonlyMap<number, readonly SubjectHash[]>): Generator<string> {
  const types = [...new Set([...held.values()].flatMap(hashes => hashes.map(({ type }) => type)))]
  const indexes = new Map(types.map((type, index) => [type, index]))
  const message = () => JSON.stringify({ kind: 'hashes', types, pieces })
  let pieces: WirePiece[] = []
  let count = 0
  for (const [number, hashes] of held) {
    let after = 0
    let list: WireHash[] = []
    for (const [index, { type, id, hash }] of hashes.entries()) {
      list.push([indexes.get(type) ?? 0, id, hash])
      count++
      const next = hashes[index + 1]
      // The same id of another type lies in the same piece.
      if (count < HASHES || next === undefined || next.id === id) continue
      pieces.push([number, after, id, list])
      yield message()
      after = id
      list = []
      pieces = []
      count = 0
    }
    pieces.push([number, after, Number.MAX_SAFE_INTEGER, list])
  }
  if (pieces.length > 0) yield message()
}

export function encodeSign(kind: 'beat' | 'leave'): string {
  return JSON.stringify({ kind })
}

/** Undefined where it has not the form of a message. */
export function parseMessage(payload: unknown): Message | undefined {
  const parsed = wireMessage.safeParse(payload).data
  if (parsed?.kind === 'hashes') return hashesOf(parsed.types, parsed.pieces)
  if (parsed === undefined || parsed.kind !== 'delta') return parsed
  const deltas: Delta[] = []
  for (const [type, id, period, list] of parsed.deltas) {
    const entries: Entry[] = []
    for (const [field, index, n, value] of list) {
      const writer = parsed.writers[index]
      if (writer === undefined) return undefined
      entries.push({ field, writer, n, value })
    }
    deltas.push({ type, id, period, entries })
  }
  return { kind: 'delta', deltas }
}

function hashesOf(types: readonly string[], wire: readonly WirePiece[]): Message | undefined {
  const pieces: HashPiece[] = []
  for (const [shard, after, upTo, list] of wire) {
    const hashes: SubjectHash[] = []
    for (const [index, id, hash] of list) {
      const type = types[index]
      if (type === undefined) return undefined
      hashes.push({ type, id, hash })
    }
    pieces.push({ shard, after, upTo, hashes })
  }
  return { kind: 'hashes', pieces }
}
