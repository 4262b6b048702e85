/** The format of the chain, which exported seals rest on: it may not change unnoticed. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalEvent, createSeal, GENESIS, sealHash } from '../../src/audit/digest.ts'
import type { StoredEvent } from '../../src/core/seal.ts'

const event: StoredEvent = [
  '42',
  'stream',
  '7',
  '3',
  'stream.started',
  '1',
  '{"fps": 60, "bitrateKbps": 6000.0}',
  '{"live":"recording"}',
  '2026-01-01T00:00:00.5Z',
  'node-a',
  '4',
  '17',
  null,
  'start "1"',
  null,
  null,
  '9',
  null,
]

test('an event is hashed as the canonical JSON of all its columns', () => {
  expect(canonicalEvent(event)).toBe(
    '[42,"stream",7,3,"stream.started",1,{"bitrateKbps":6000,"fps":60},"{\\"live\\":\\"recording\\"}","2026-01-01T00:00:00.5Z","node-a",4,17,null,"start \\"1\\"",null,null,9]',
  )
})

test('the origin of an event that came by way of a journal is hashed too', () => {
  const origin = '{"n": 2, "basis": 1}'
  const sent = [...event.slice(0, 17), origin] as unknown as StoredEvent
  expect(canonicalEvent(sent)).toBe(canonicalEvent(event).replace(/]$/, ',{"basis":1,"n":2}]'))
})

test('a seal can be made again by any program that has SHA-256', () => {
  const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest()
  const digest = sha256(canonicalEvent(event))
  const marks = Buffer.concat([Buffer.from([0, 0, 0, 0]), digest.subarray(0, 4)])
  const seal = createSeal(undefined, [event], '2026-01-01T00:00:10.000Z')
  const eventsHash = sha256(digest).toString('hex')
  const marksHash = sha256(marks).toString('hex')
  expect(seal).toEqual({
    number: 1,
    first: 42,
    last: 42,
    events: 1,
    eventsHash,
    marksHash,
    previous: GENESIS,
    sealedAt: '2026-01-01T00:00:10.000Z',
    hash: sha256(
      `{"events":1,"eventsHash":"${eventsHash}","first":42,"format":1,"last":42,"marksHash":"${marksHash}","number":1,"previous":"${GENESIS}","sealedAt":"2026-01-01T00:00:10.000Z"}`,
    ).toString('hex'),
    marks,
  })
  expect(seal.hash).toBe('01d9fa28d9cfa9bcae309382082b5588c066d03b1c67c9f4797a754fc1e44d5c')
})

test('every part of a seal is bound by its hash', () => {
  const { marks: _, hash, ...parts } = createSeal(undefined, [event], '2026-01-01T00:00:10.000Z')
  for (const [name, value] of Object.entries(parts)) {
    const other = typeof value === 'number' ? value + 1 : value.replace(/^./, first => (first === '1' ? '2' : '1'))
    expect([name, sealHash({ ...parts, [name]: other })]).not.toEqual([name, hash])
  }
})

test('no two events have one text', () => {
  const text = fc.oneof(fc.constantFrom('a', '"', ',', 'null', '\\', ''), fc.string())
  const column = (index: number) =>
    index === 6
      ? fc.constantFrom('{"a":1}', '{"a":"1"}', '{}')
      : [0, 2, 3, 5, 10, 11].includes(index)
        ? fc.integer().map(String)
        : [12, 14, 16].includes(index)
          ? fc.option(fc.integer().map(String))
          : [13, 15].includes(index)
            ? fc.option(text)
            : index === 17
              ? fc.option(fc.constantFrom('{"basis":1}', '{"basis":2}'))
              : text
  const events = fc.tuple(...event.map((_, index) => column(index))) as unknown as fc.Arbitrary<StoredEvent>
  fc.assert(
    fc.property(events, events, (one, other) => {
      expect(canonicalEvent(one) === canonicalEvent(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
      expect(JSON.parse(canonicalEvent(one))).toHaveLength(event.length - Number(one[17] === null))
    }),
  )
})
