/** Which node of a cluster serves what. */
import { expect, test } from 'vitest'
import { parseFailed, parseOwners, slotOf } from '../../src/sync/cluster-slots.ts'

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
  expect([...owners]).toEqual([['foo', { host: '10.0.0.1', port: 7_000, id: 'id' }]])
})

test.each([[''], ['?'], [null]])('a node that does not know its own name (%j) has the one it was asked under', host => {
  const owners = parseOwners([[0, 16_383, [host, 7_001, 'id']]], ['foo'], asked)
  expect(owners.get('foo')).toEqual({ host: 'me', port: 7_001, id: 'id' })
})

test.each([null, 'OK', [7], [[0, 'x', ['h', 1]]], [[0, 1]], [[0, 1, ['h']]]])('%j is no answer', reply => {
  expect(() => parseOwners(reply, ['foo'], asked)).toThrow(/cannot be read/)
})

test('a node has failed where the cluster says so, not where one node thinks so', () => {
  const nodes = [
    'a1 127.0.0.1:7000@17000 myself,master - 0 1 1 connected 0-5460',
    'b2 127.0.0.1:7001@17001 master,fail - 1 1 2 disconnected 5461-10922',
    'c3 127.0.0.1:7002@17002 master,fail? - 1 1 3 disconnected 10923-16383',
    '',
  ]
  expect([...parseFailed(nodes.join('\n'))]).toEqual(['b2'])
  for (const none of ['', null, 7]) expect(parseFailed(none).size).toBe(0)
})
