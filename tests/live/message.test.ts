/** Messages of live figures: they come back as they went, and what is no message is not taken for one. */
import { expect, test } from 'vitest'
import type { Delta } from '../../src/live/message.ts'
import { encodeDeltas, encodeDigest, encodeSign, parseMessage } from '../../src/live/message.ts'

const delta = (id: number, text = 'h264'): Delta => ({
  ...{ type: 'stream', id, period: '2026-01-01T00:00:00.000Z#1' },
  entries: [
    { field: 'viewers', writer: 'a "1"#1', n: 1_700_000_000_000_001, value: 3 },
    { field: 'codec', writer: 'b#2', n: 2, value: text },
  ],
})

test('deltas travel together and come back whole', () => {
  const sent = [delta(1), delta(2, 'päper "ink" 🎥')]
  const [json, ...more] = [...encodeDeltas(sent)]
  expect(more).toEqual([])
  expect(parseMessage(JSON.parse(json ?? ''))).toEqual({ kind: 'delta', deltas: sent })
})

test('many are split into messages of bounded size, and none is lost', () => {
  const sent = Array.from({ length: 10_000 }, (_, id) => delta(id + 1))
  const messages = [...encodeDeltas(sent)]
  expect(messages.length).toBeGreaterThan(1)
  for (const json of messages) expect(json.length).toBeLessThan(300 * 1024)
  const back = messages.flatMap(json => {
    const message = parseMessage(JSON.parse(json))
    return message?.kind === 'delta' ? message.deltas : []
  })
  expect(back).toEqual(sent)
})

test('digests and signs come back', () => {
  const shards = Array.from({ length: 1_024 }, (_, shard) => shard * 7 - 100)
  expect(parseMessage(JSON.parse(encodeDigest(shards)))).toEqual({ kind: 'digest', shards })
  expect(parseMessage(JSON.parse(encodeSign('leave')))).toEqual({ kind: 'leave' })
})

test.each([
  ['nothing', undefined],
  ['a text', 'beat'],
  ['another kind', { kind: 'reset' }],
  ['a digest of another size', { kind: 'digest', shards: [1, 2] }],
  ['a digest of fractions', { kind: 'digest', shards: Array.from({ length: 1_024 }, () => 0.5) }],
  ['a writer that is not named', { kind: 'delta', writers: [], deltas: [['stream', 1, 'p', [['viewers', 0, 1, 1]]]] }],
  ['an id below 1', { kind: 'delta', writers: ['a'], deltas: [['stream', 0, 'p', [['viewers', 0, 1, 1]]]] }],
  ['a stamp below 0', { kind: 'delta', writers: ['a'], deltas: [['stream', 1, 'p', [['viewers', 0, -1, 1]]]] }],
  ['a value of objects', { kind: 'delta', writers: ['a'], deltas: [['stream', 1, 'p', [['viewers', 0, 1, {}]]]] }],
  [
    'a text without end',
    { kind: 'delta', writers: ['a'], deltas: [['stream', 1, 'p', [['codec', 0, 1, 'x'.repeat(1_001)]]]] },
  ],
  [
    'too many entries',
    { kind: 'delta', writers: ['a'], deltas: [['stream', 1, 'p', Array(3_000).fill(['fps', 0, 1, 1])]] },
  ],
])('%s is no message', (_, payload) => {
  expect(parseMessage(payload)).toBeUndefined()
})

test.each<readonly [string, unknown]>([
  ['deltas that are no list', {}],
  ['too many deltas', Array(8_193).fill(['stream', 1, 'p', []])],
  ['a delta that is no list', [{ 0: 'stream', 1: 1, 2: 'p', 3: [], length: 4 }]],
  ['a delta with too little', [['stream', 1, 'p']]],
  ['a delta with too much', [['stream', 1, 'p', [], 1]]],
  ['a type that is no text', [[1, 1, 'p', []]]],
  ['a type that is too long', [['x'.repeat(42), 1, 'p', []]]],
  ['an id that is a text', [['stream', '1', 'p', []]]],
  ['an id beyond what is exact', [['stream', 2 ** 53, 'p', []]]],
  ['a period that is too long', [['stream', 1, 'x'.repeat(101), []]]],
  ['entries that are no list', [['stream', 1, 'p', 'fps']]],
  ['an entry that is no list', [['stream', 1, 'p', ['fps!']]]],
  ['an entry with too little', [['stream', 1, 'p', [['fps', 0, 1]]]]],
  ['an entry with too much', [['stream', 1, 'p', [['fps', 0, 1, 1, 1]]]]],
  ['a field that is too long', [['stream', 1, 'p', [['x'.repeat(61), 0, 1, 1]]]]],
  ['a writer below 0', [['stream', 1, 'p', [['fps', -1, 1, 1]]]]],
  ['a stamp of a fraction', [['stream', 1, 'p', [['fps', 0, 1.5, 1]]]]],
  ['a value that is nothing', [['stream', 1, 'p', [['fps', 0, 1, null]]]]],
  ['a value that is endless', [['stream', 1, 'p', [['fps', 0, 1, Number.POSITIVE_INFINITY]]]]],
])('%s are no message', (_, deltas) => {
  expect(parseMessage({ kind: 'delta', writers: ['a'], deltas })).toBeUndefined()
})
