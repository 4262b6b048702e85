/** The checker finds a lie, and nothing else. */
import { expect, test } from 'vitest'
import { acceptedTooLate } from './session-history.ts'

const revoked = [{ session: 1, acknowledgedAt: 100 }]

test.for([
  { what: 'sent before the answer', read: { session: 1, sentAt: 99, active: true }, lies: 0 },
  { what: 'within the bound', read: { session: 1, sentAt: 110, active: true }, lies: 0 },
  { what: 'past the bound', read: { session: 1, sentAt: 111, active: true }, lies: 1 },
  { what: 'past the bound, and told so', read: { session: 1, sentAt: 111, active: false }, lies: 0 },
  { what: 'of a session nobody revoked', read: { session: 2, sentAt: 999, active: true }, lies: 0 },
])('a read $what', ({ read, lies }) => {
  expect(acceptedTooLate({ revoked, reads: [read] }, 10)).toHaveLength(lies)
})
