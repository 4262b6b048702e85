/** The bytes form: there and back, small, and safe against bytes made to harm. */
import { brotliCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { type ActorSnapshot, MAX_SNAPSHOT_BYTES } from '../../src/snapshots/snapshot.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/snapshots/snapshot-bytes.ts'
import { goldenActors, snapshotAt } from './golden-snapshots.ts'

const snapshotOf = (context: JsonObject): ActorSnapshot => ({
  type: 'stream',
  id: 1,
  version: 3,
  stateVersion: 2,
  format: 1,
  state: { value: { live: 'recording' }, context },
  at: '2026-01-01T00:00:00.000Z',
})
const large = snapshotOf({ rows: Array.from({ length: 200 }, (_, n) => ({ n, name: 'a name that comes again' })) })
const code = (name: string) => expect.objectContaining({ code: name })
const head = (format: number, coding: number) => Buffer.from([0x52, 0x53, 0x53, format, coding])

test('comes back as it was', () => {
  for (const actor of goldenActors)
    for (let version = 1; version <= actor.events.length; version++) {
      const snapshot = JSON.parse(JSON.stringify(snapshotAt(actor, version))) as ActorSnapshot
      expect(decodeSnapshot(encodeSnapshot(snapshot))).toEqual(snapshot)
    }
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), context => {
      const snapshot = JSON.parse(JSON.stringify(snapshotOf(context as JsonObject))) as ActorSnapshot
      expect(decodeSnapshot(encodeSnapshot(snapshot))).toEqual(snapshot)
    }),
  )
})

test('is compressed where that gains, and never larger than the JSON and its head', () => {
  expect(encodeSnapshot(large).length).toBeLessThan(JSON.stringify(large).length / 4)
  const small = snapshotOf({})
  expect(encodeSnapshot(small).length).toBe(JSON.stringify(small).length + 5)
})

test('every truncation and every changed byte is a snapshot or a refusal, never another failure', () => {
  const bytes = encodeSnapshot(large)
  const refused = (input: Uint8Array) => {
    try {
      decodeSnapshot(input)
      return false
    } catch (error) {
      expect(error).toMatchObject({
        code: expect.stringMatching(/^(?:invalid_input|schema_mismatch|payload_too_large)$/),
      })
      return true
    }
  }
  for (let length = 0; length < bytes.length; length++)
    expect(refused(bytes.subarray(0, length)), `${length}`).toBe(true)
  for (let index = 0; index < bytes.length; index++) {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] ?? 0) ^ 0xff
    refused(changed)
  }
  expect(refused(Buffer.from('<html>no</html>'))).toBe(true)
  expect(() => decodeSnapshot(Buffer.concat([head(1, 2), bytes.subarray(5)]))).toThrow(code('invalid_input'))
})

test('a newer format is named, not guessed at', () => {
  expect(() => decodeSnapshot(Buffer.concat([head(2, 1), encodeSnapshot(large).subarray(5)]))).toThrow(
    code('schema_mismatch'),
  )
})

test('a bomb is not unpacked', () => {
  const bomb = brotliCompressSync(Buffer.alloc(MAX_SNAPSHOT_BYTES + 1, 0x20))
  expect(bomb.length).toBeLessThan(1_000)
  expect(() => decodeSnapshot(Buffer.concat([head(1, 1), bomb]))).toThrow(code('payload_too_large'))
  expect(() => decodeSnapshot(Buffer.alloc(MAX_SNAPSHOT_BYTES + 6))).toThrow(code('payload_too_large'))
  expect(() => encodeSnapshot(snapshotOf({ text: 'x'.repeat(MAX_SNAPSHOT_BYTES) }))).toThrow(code('payload_too_large'))
})
