/** Frames as they go over the wire: what they carry, and what is not read. */
import { createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createOwnFrames,
  decodeFrame,
  encodeEvents,
  encodePayload,
  encodeSign,
  MAX_FRAME_BYTES,
} from '../../src/sync/frame.ts'
import { createFrameSignature } from '../../src/sync/frame-signature.ts'
import { frameSignature, signedFrame } from './frame-key.ts'
import { logEvent } from './log-events.ts'

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const SENDER = { node: 'Knoten ü', incarnation: 1 }

function encoded(traceparent?: string): string {
  const [payload] = encodeEvents(frameSignature, SENDER, { order: 6, seq: 2 }, [logEvent(1)], traceparent)
  if (payload === undefined) throw new Error('it fits')
  return payload
}

const decoded = (payload: string | Buffer) => decodeFrame(frameSignature, Buffer.from(payload))

describe('what they carry', () => {
  test('events, and the numbers after the last ones', () => {
    const frame = { ...SENDER, kind: 'events', order: 7, seq: 3, events: [logEvent(1)] }
    expect(decoded(encoded())).toEqual(frame)
  })
  test('signs of life', () => {
    const sign = encodeSign(frameSignature, SENDER, 'heartbeat', { order: 8, seq: 3 })
    expect(decoded(sign)).toEqual({ ...SENDER, kind: 'heartbeat', order: 8, seq: 3 })
  })
  test('the trace context goes with the events', () => {
    expect(decoded(encoded(TRACEPARENT))).toMatchObject({ kind: 'events', traceparent: TRACEPARENT })
  })
  test('a trace context that is too long costs the trace, not the events', () => {
    const frame = decoded(encoded('x'.repeat(100_000)))
    expect(frame).toMatchObject({ kind: 'events', events: [logEvent(1)] })
    expect(frame).not.toHaveProperty('traceparent', expect.anything())
  })
  test('nodes of the first format find another one', () => {
    expect(JSON.parse(encoded())).toMatchObject({ v: 2 })
  })
})

test('an event that is seen to be right at a glance is one that the schema takes, and comes out the same', () => {
  const plain = logEvent(1)
  const fields = fc.constantFrom(...Object.keys(plain), 'origin', 'erased', '__proto__')
  const deep = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`)
  const values = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, 0, 1, -1, 1.5, 2 ** 53, '', 'x', 'x'.repeat(65), 'x'.repeat(201), true),
    fc.constantFrom<unknown>(
      'x'.repeat(1_001),
      [],
      {},
      { a: [{}] },
      deep,
      '2026-02-29T00:00:00Z',
      '2024-02-29T00:00:00Z',
    ),
    fc.constantFrom<unknown>(
      '2026-01-01',
      '2026-01-01T00:00:00.5+02:00',
      '2026-13-01T00:00:00Z',
      '2026-01-01T24:00:00Z',
    ),
    fc.jsonValue(),
  )
  const changes = fc.array(fc.tuple(fields, values), { maxLength: 3 })
  const told = (event: object) => decoded(signedFrame({ ...SENDER, kind: 'events', order: 1, seq: 1, events: [event] }))
  const seen = { taken: 0, refused: 0 }
  fc.assert(
    fc.property(changes, changed => {
      const event = { ...plain, ...Object.fromEntries(changed) }
      // A field that nobody knows keeps it from the glance, and the schema leaves it out.
      const bySchema = told({ ...event, unknown: 1 })
      expect(told(event)).toEqual(bySchema)
      seen[bySchema === 'malformed' ? 'refused' : 'taken']++
    }),
    { numRuns: 3_000, examples: [[[]]] },
  )
  expect(seen.taken).toBeGreaterThan(200)
  expect(seen.refused).toBeGreaterThan(200)
})

describe("one's own frames", () => {
  const own = (payload: string) => decodeFrame(frameSignature, Buffer.from(payload), createOwnFrames(SENDER))

  test('are known without being parsed, of every kind, and only where they are signed', () => {
    const numbers = { order: 8, seq: 3 }
    const frames = [
      encoded(),
      encoded(TRACEPARENT),
      encodePayload(frameSignature, SENDER, 'live', numbers, '{}'),
      encodePayload(frameSignature, SENDER, 'tentative', numbers, '{}'),
      encodeSign(frameSignature, SENDER, 'heartbeat', numbers),
      encodeSign(frameSignature, SENDER, 'farewell', numbers),
    ]
    for (const frame of frames) {
      expect(own(frame)).toBe('own')
      expect(own(`${frame} `)).toBe('forged')
    }
  })
  test.each([
    ['another node', { ...SENDER, node: 'Knoten' }],
    ['another node whose name goes on', { ...SENDER, node: 'Knoten ü2' }],
    ['another start', { ...SENDER, incarnation: 2 }],
    ['another start whose number goes on', { ...SENDER, incarnation: 11 }],
  ])('are not those of %s', (_, sender) => {
    const frame = encodeSign(frameSignature, sender, 'heartbeat', { order: 8, seq: 3 })
    expect(own(frame)).toEqual({ ...sender, kind: 'heartbeat', order: 8, seq: 3 })
  })
})

describe('what is not read', () => {
  test('a frame with any byte changed, cut or added', () => {
    const whole = Buffer.from(encoded())
    const damage = fc.oneof(
      fc.record({ at: fc.nat(whole.length - 1), bit: fc.nat(7) }).map(({ at, bit }) => {
        const copy = Buffer.from(whole)
        copy[at] = (copy[at] ?? 0) ^ (1 << bit)
        return copy
      }),
      fc.nat(whole.length - 1).map(length => whole.subarray(0, length)),
      fc.uint8Array({ minLength: 1 }).map(tail => Buffer.concat([whole, tail])),
    )
    fc.assert(
      fc.property(damage, payload => {
        expect(['forged', 'malformed', 'foreignVersion']).toContain(decoded(payload))
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['another key', createFrameSignature(createSecretKey('another', 'utf8')).sign('"kind":"heartbeat"}')],
    ['no signature', '{"v":2,"kind":"heartbeat","node":"a","incarnation":1,"order":1,"seq":0}'],
    ['nothing else', '{"v":2}'],
    ['an empty one', '{"v":2,"mac":"",'],
    ['a short one', `{"v":2,"mac":"${'a'.repeat(42)}","kind":"heartbeat"}`],
    ['one that is no base64', `{"v":2,"mac":"${'\u0000'.repeat(43)}",}`],
    ['one moved to another frame', encoded().slice(0, 60) + encoded(TRACEPARENT).slice(60)],
  ])('forged: %s', (_what, payload) => expect(decoded(payload)).toBe('forged'))

  test.each(['{"v":1,"kind":"heartbeat"}', '{"v":3,"mac":7}', '{"v":1}', '{"v":999999999,'])(
    'another version: %s',
    payload => expect(decoded(payload)).toBe('foreignVersion'),
  )

  test.each([
    '',
    'not json',
    'null',
    '[]',
    '{}',
    '{"v":"2"}',
    '{"v":-1}',
    '{"v":1e3}',
    '{"v":9999999999,',
    ' {"v":2,',
    '\u0000',
    '['.repeat(100_000),
  ])('no frame: %.20s', payload => expect(decoded(payload)).toBe('malformed'))

  const heartbeat = { kind: 'heartbeat', node: 'a', incarnation: 1, order: 1, seq: 0 }
  const events = { ...heartbeat, kind: 'events', seq: 1, events: [logEvent(1)] }
  test.each([
    { ...heartbeat, order: 0 },
    { ...heartbeat, order: undefined },
    { ...heartbeat, seq: -1 },
    { ...heartbeat, incarnation: 1.5 },
    { ...heartbeat, node: 'x'.repeat(300) },
    { ...heartbeat, kind: 'gossip' },
    { ...events, seq: 0 },
    { ...events, events: [] },
    { ...events, events: [{ ...logEvent(1), position: 0 }] },
    { ...events, events: [{ ...logEvent(1), data: [] }] },
    { ...events, events: [{ ...logEvent(1), data: JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) }] },
    { ...events, events: [{ ...logEvent(1), at: 'yesterday' }] },
    { ...events, events: [{ ...logEvent(1), type: 7 }] },
  ])('signed and wrong all the same: $kind, case %#', frame => expect(decoded(signedFrame(frame))).toBe('malformed'))

  test('signed and no JSON', () => expect(decoded(frameSignature.sign('"kind":'))).toBe('malformed'))

  test('too large, signed or not', () => {
    expect(decoded(Buffer.alloc(MAX_FRAME_BYTES + 1))).toBe('oversize')
    expect(decoded(signedFrame({ ...heartbeat, padding: 'x'.repeat(MAX_FRAME_BYTES) }))).toBe('oversize')
  })
})
