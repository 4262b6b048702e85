/** What nodes tell each other of live figures, as it travels: written in pieces of bounded size, parsed as hostile input. */
import { z } from 'zod'
import type { LiveValue } from '../machines/live-fields.ts'
import { SHARDS } from './digest.ts'
import type { Entry, LiveDocument } from './document.ts'

/** A message is closed before it grows beyond this many characters. */
const MAX_CHARACTERS = 256 * 1024
const MAX_DOCUMENTS = 8_192
const MAX_ENTRIES = 8 * 256

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

export type Message =
  | { readonly kind: 'delta'; readonly deltas: readonly Delta[] }
  /** One hash a shard: whoever has another one answers with what it holds there. */
  | { readonly kind: 'digest'; readonly shards: readonly number[] }
  /** The sender is alive, or stops in good order. */
  | { readonly kind: 'beat' | 'leave' }

type WireEntry = readonly [field: string, writer: number, n: number, value: LiveValue]
type WireDelta = readonly [type: string, id: number, period: string, entries: readonly WireEntry[]]

const stamp = z.int().min(0)
const wireMessage = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('delta'),
    writers: z.array(z.string().min(1).max(220)).max(MAX_DOCUMENTS),
    deltas: z
      .array(
        z.tuple([
          z.string().max(41),
          z.int().min(1),
          z.string().max(100),
          z
            .array(z.tuple([z.string().max(60), stamp, stamp, z.union([z.number(), z.string().max(1_000)])]))
            .max(MAX_ENTRIES),
        ]),
      )
      .max(MAX_DOCUMENTS),
  }),
  z.object({ kind: z.literal('digest'), shards: z.array(z.int32()).length(SHARDS) }),
  z.object({ kind: z.enum(['beat', 'leave']) }),
])

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

export function encodeSign(kind: 'beat' | 'leave'): string {
  return JSON.stringify({ kind })
}

/** Undefined where it has not the form of a message. */
export function parseMessage(payload: unknown): Message | undefined {
  const parsed = wireMessage.safeParse(payload).data
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
