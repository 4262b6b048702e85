/** Which node of a cluster serves what. */
import { expect, test } from 'vitest'
import { parseOwners, slotOf } from '../../src/sync/cluster-slots.ts'

const asked = { host: 'me', port: 1 }

// The first is the check value of CRC16/XMODEM; the others are what CLUSTER KEYSLOT of a Redis 7 answers.
test.each([
  ['123456789', 12_739],
  ['', 0],
  ['foo', 12_182],
  ['{foo}bar', 12_182],
  ['a{foo}{bar}', 12_182],
])('the slot of %j is %i', (name, slot) => expect(slotOf(name)).toBe(slot))

test('each channel has the master of its slot; one that nobody serves has none', () => {
  const reply = [
    [0, 12_182, ['10.0.0.1', 7_000, 'id'], ['10.0.0.9', 7_009, 'replica']],
    ['12183', '12738', ['', 7_001, 'id']],
  ]
  const owners = parseOwners(reply, ['foo', '123456789'], asked)
  expect([...owners]).toEqual([['foo', { host: '10.0.0.1', port: 7_000 }]])
})

test.each([[''], ['?'], [null]])('a node that does not know its own name (%j) has the one it was asked under', host => {
  expect(parseOwners([[0, 16_383, [host, 7_001]]], ['foo'], asked).get('foo')).toEqual({ host: 'me', port: 7_001 })
})

test.each([null, 'OK', [7], [[0, 'x', ['h', 1]]], [[0, 1]], [[0, 1, ['h']]]])('%j is no answer', reply => {
  expect(() => parseOwners(reply, ['foo'], asked)).toThrow(/cannot be read/)
})
