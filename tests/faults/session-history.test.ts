/** The checker finds a lie, and nothing else. */
import { expect, test } from 'vitest'
import { breaches, type Read, unproven } from './session-history.ts'

const revoked = [
  { session: 1, acknowledgedAt: 100 },
  { session: 3, acknowledgedAt: 100, only: { node: 'b', inLogAt: 500 } },
]
const read = (changes: Partial<Read>): Read => ({
  ...{ node: 'a', session: 1, sentAt: 99, answeredAt: 120, active: true },
  ...changes,
})

test.for([
  { what: 'sent before the answer', reads: [read({})], found: [] },
  { what: 'within the bound', reads: [read({ sentAt: 110 })], found: [] },
  { what: 'past the bound', reads: [read({ sentAt: 111 })], found: ['acknowledged'] },
  { what: 'past the bound, on another node', reads: [read({ sentAt: 111, node: 'b' })], found: ['acknowledged'] },
  { what: 'past the bound, and told so', reads: [read({ sentAt: 111, active: false })], found: [] },
  { what: 'of a session nobody revoked', reads: [read({ session: 2, sentAt: 999 })], found: [] },
  {
    what: 'after the same node had said that it is revoked',
    reads: [read({ session: 2, active: false, answeredAt: 50 }), read({ session: 2, sentAt: 61 })],
    found: ['told before'],
  },
  {
    what: 'after another node had said so',
    reads: [read({ session: 2, active: false, answeredAt: 50, node: 'b' }), read({ session: 2, sentAt: 61 })],
    found: [],
  },
  {
    what: 'of the node that took the revocation',
    reads: [read({ session: 3, sentAt: 111, node: 'b' })],
    found: ['acknowledged'],
  },
  { what: 'of a node that cannot know of it yet', reads: [read({ session: 3, sentAt: 400 })], found: [] },
  { what: 'of that node when the log has it', reads: [read({ session: 3, sentAt: 511 })], found: ['acknowledged'] },
])('a read $what', ({ reads, found }) => {
  expect(breaches({ revoked, reads }, 10).map(({ why }) => why)).toEqual(found)
})

test('what no node was asked after is named', () => {
  const reads = [read({ sentAt: 111, active: false }), read({ sentAt: 511, session: 3, active: false })]
  expect(unproven({ revoked, reads }, ['a', 'b'], 10)).toEqual([
    { node: 'b', session: 1 },
    { node: 'b', session: 3 },
  ])
  expect(unproven({ revoked, reads: [read({ sentAt: 110, active: false })] }, ['a'], 10)).toHaveLength(2)
})
