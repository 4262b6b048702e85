/** Live documents as CRDTs: however entries are ordered, grouped and repeated, all replicas end the same. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Entry, LiveDocument } from '../../src/live/document.ts'
import { live } from '../../src/machines/stream/live.ts'

const FIELDS = Object.keys(live.fields)
const entry: fc.Arbitrary<Entry> = fc
  .record({
    field: fc.constantFrom(...FIELDS),
    writer: fc.constantFrom('a#1', 'a#2', 'b#1', 'c#7'),
    n: fc.integer({ min: 1, max: 6 }),
    value: fc.integer({ min: 0, max: 5 }),
  })
  .map(drawn => {
    const { field, writer, n } = drawn
    const rule = live.fields[field]?.rule
    // A writer gives a number to one write only, and its totals grow; a maximum has no number.
    if (rule === 'max') return drawn
    return { ...drawn, value: rule === 'counter' ? n : (n * 7 + writer.charCodeAt(0) + field.length) % 5 }
  })
const entries = fc.array(entry, { maxLength: 30 })
const everybody = () => true

function replica(...parts: readonly (readonly Entry[])[]): LiveDocument {
  const document = new LiveDocument('stream', 5, 'now', live)
  for (const { field, writer, n, value } of parts.flat()) document.apply(field, writer, n, value)
  return document
}

/** What a replica says and holds; of a maximum the figure alone. */
function shown(document: LiveDocument) {
  const held = document
    .entries()
    .map(({ field, writer, n, value }) =>
      live.fields[field]?.rule === 'max' ? [field, value] : [field, writer, n, value],
    )
  return { values: document.values(everybody), held: held.map(part => part.join()).sort(), hash: document.hash }
}

describe('merging', () => {
  test('is commutative: order does not matter', () => {
    fc.assert(
      fc.property(
        entries.chain(list => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          expect(shown(replica(shuffled))).toEqual(shown(replica(list)))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is associative: a merge of merges is the merge of all', () => {
    fc.assert(
      fc.property(entries, entries, entries, (a, b, c) => {
        const left = replica(replica(a, b).entries(), c)
        const right = replica(a, replica(b, c).entries())
        expect(shown(left)).toEqual(shown(right))
        expect(shown(left)).toEqual(shown(replica(a, b, c)))
      }),
      { numRuns: 500 },
    )
  })

  test('is idempotent: what is known changes nothing', () => {
    fc.assert(
      fc.property(entries, list => {
        const document = replica(list)
        const before = shown(document)
        for (const { field, writer, n, value } of [...list, ...document.entries()])
          expect(document.apply(field, writer, n, value)).toBe(false)
        expect(shown(document)).toEqual(before)
      }),
      { numRuns: 500 },
    )
  })

  test('leads to another hash where it leads to another document', () => {
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const [one, other] = [shown(replica(a)), shown(replica(b))]
        expect(one.hash === other.hash).toBe(one.held.join(';') === other.held.join(';'))
      }),
      { numRuns: 500 },
    )
  })
})

describe('rules', () => {
  test('a gauge is the sum of what living nodes say, a counter of what all nodes counted', () => {
    const document = replica([
      { field: 'viewers', writer: 'a#1', n: 1, value: 3 },
      { field: 'viewers', writer: 'b#1', n: 1, value: 4 },
      { field: 'viewers', writer: 'a#1', n: 2, value: 2 },
      { field: 'bytesSent', writer: 'a#1', n: 1, value: 100 },
      { field: 'bytesSent', writer: 'b#1', n: 1, value: 50 },
    ])
    expect(document.values(everybody)).toEqual({ viewers: 6, peakViewers: 6, bytesSent: 150 })
    expect(document.values(writer => writer !== 'a#1')).toEqual({ viewers: 4, peakViewers: 4, bytesSent: 150 })
  })

  test('the last write wins, of two at once that of the greater name; a maximum stays', () => {
    const document = replica([
      { field: 'fps', writer: 'b#1', n: 5, value: 60 },
      { field: 'fps', writer: 'a#1', n: 5, value: 30 },
      { field: 'codec', writer: 'a#1', n: 9, value: 'av1' },
      { field: 'codec', writer: 'b#1', n: 8, value: 'h264' },
      { field: 'peakViewers', writer: 'a#1', n: 1, value: 9 },
      { field: 'peakViewers', writer: 'a#1', n: 2, value: 1 },
    ])
    expect(document.values(everybody)).toEqual({ fps: 60, codec: 'av1', peakViewers: 9 })
  })

  test('writers of a field are bounded, and a field that is not declared is not taken', () => {
    const document = replica()
    for (let writer = 0; writer < 1_000; writer++) document.apply('viewers', `n#${writer}`, 1, 1)
    expect(document.value('viewers', everybody)).toBe(256)
    expect(document.apply('unheard', 'a#1', 1, 1)).toBe(false)
  })
})
