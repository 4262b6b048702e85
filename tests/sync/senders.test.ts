/** Following the numbers of frames. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSenders } from '../../src/sync/senders.ts'

const options = { patience: 3, limit: 10 }

test('numbers in order are as expected from one on', () => {
  const senders = createSenders(options)
  expect([1, 2, 3].map(seq => senders.frame('a', seq))).toEqual(['next', 'next', 'next'])
})

test('a sender first heard in the middle has said things that were not heard', () => {
  const senders = createSenders(options)
  expect(senders.frame('a', 5)).toBe('gap')
  expect(senders.frame('a', 6)).toBe('next')
  expect(senders.sign('b', 5)).toBe('gap')
  expect(senders.sign('b', 5)).toBe('next')
  expect(senders.sign('c', 0)).toBe('next')
  expect(senders.frame('c', 1)).toBe('next')
})

test('a sign of life gives away what was lost before it, once', () => {
  const senders = createSenders(options)
  senders.frame('a', 1)
  expect(senders.sign('a', 1)).toBe('next')
  expect(senders.sign('a', 3)).toBe('gap')
  expect(senders.sign('a', 3)).toBe('next')
  expect(senders.frame('a', 3)).toBe('old')
  expect(senders.frame('a', 4)).toBe('next')
})

test('a number too high that was not the sender’s own is set right by its next sign of life', () => {
  const senders = createSenders(options)
  senders.frame('a', 1)
  expect(senders.frame('a', Number.MAX_SAFE_INTEGER)).toBe('gap')
  expect(senders.frame('a', 2)).toBe('old')
  expect(senders.sign('a', 2)).toBe('gap')
  expect(senders.frame('a', 3)).toBe('next')
})

test('each sender has numbers of its own', () => {
  const senders = createSenders(options)
  expect([senders.frame('a', 1), senders.frame('b', 1), senders.frame('a', 2)]).toEqual(['next', 'next', 'next'])
})

test('silence is told once; any sign of life, new or old, breaks it', () => {
  const senders = createSenders(options)
  senders.frame('a', 1)
  senders.frame('b', 1)
  expect([senders.tick(), senders.tick()]).toEqual([0, 0])
  senders.frame('a', 1)
  expect(senders.tick()).toBe(1)
  senders.sign('a', 1)
  expect([senders.tick(), senders.tick(), senders.tick(), senders.tick()]).toEqual([0, 0, 1, 0])
})

test('a sender that said farewell is not missed', () => {
  const senders = createSenders(options)
  senders.frame('a', 1)
  senders.forget('a')
  expect([senders.tick(), senders.tick(), senders.tick()]).toEqual([0, 0, 0])
})

test('past the limit the sender heard least recently is forgotten, which costs a gap and misses none', () => {
  const senders = createSenders({ patience: 3, limit: 2 })
  senders.frame('a', 1)
  senders.frame('b', 1)
  senders.frame('a', 2)
  senders.frame('c', 1)
  expect(senders.frame('a', 3)).toBe('next')
  expect(senders.frame('b', 2)).toBe('gap')
})

test('whatever is lost, doubled or late: what was not heard in time is told as a gap', () => {
  const arrivals = fc.array(fc.record({ seq: fc.integer({ min: 1, max: 12 }), sign: fc.boolean() }), { maxLength: 40 })
  fc.assert(
    fc.property(arrivals, frames => {
      const senders = createSenders(options)
      // Covered: heard, or lost before a gap was told.
      let covered = 0
      for (const { seq, sign } of frames) {
        const heard = sign ? senders.sign('a', seq) : senders.frame('a', seq)
        const next = sign ? covered : covered + 1
        if (seq === next) expect(heard).toBe('next')
        else expect(heard).toBe(seq < next && !sign ? 'old' : 'gap')
        covered = sign ? seq : Math.max(covered, seq)
      }
    }),
  )
})
