/** Following the numbers of frames. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSenders, type Senders } from '../../src/sync/senders.ts'

const self = { node: 'self', incarnation: 100 }
const options = { self, patience: 3, limit: 10 }
const a = { node: 'a', incarnation: 1 }
const b = { node: 'b', incarnation: 2 }
const c = { node: 'c', incarnation: 3 }

const frames = (senders: Senders, from: typeof a, ...seqs: number[]) =>
  seqs.map(seq => senders.frame(from, { order: seq, seq }))
const ticks = (senders: Senders, count: number) => Array.from({ length: count }, () => senders.tick())

test('numbers in order are as expected from one on', () => {
  expect(frames(createSenders(options), a, 1, 2, 3)).toEqual(['next', 'next', 'next'])
})

test('a sender first heard in the middle has said things that were not heard', () => {
  const senders = createSenders(options)
  expect(frames(senders, a, 5, 6)).toEqual(['gap', 'next'])
  expect(senders.sign(b, { order: 8, seq: 5 })).toBe('gap')
  expect(senders.sign(b, { order: 9, seq: 5 })).toBe('next')
  expect(senders.sign(c, { order: 8, seq: 0 })).toBe('next')
  expect(senders.frame(c, { order: 9, seq: 1 })).toBe('next')
})

test('a sign of life gives away what was lost before it, once', () => {
  const senders = createSenders(options)
  expect(senders.frame(a, { order: 1, seq: 1 })).toBe('next')
  expect(senders.sign(a, { order: 2, seq: 1 })).toBe('next')
  expect(senders.sign(a, { order: 5, seq: 3 })).toBe('gap')
  expect(senders.sign(a, { order: 6, seq: 3 })).toBe('next')
  expect(senders.frame(a, { order: 4, seq: 3 })).toBe('old')
  expect(senders.frame(a, { order: 7, seq: 4 })).toBe('next')
})

test('a lost sign of life is no gap: nothing was said in it', () => {
  const senders = createSenders(options)
  senders.frame(a, { order: 1, seq: 1 })
  expect(senders.frame(a, { order: 5, seq: 2 })).toBe('next')
})

test('each incarnation has numbers of its own', () => {
  const senders = createSenders(options)
  const later = { ...a, incarnation: 7 }
  expect([frames(senders, a, 1), frames(senders, later, 1), frames(senders, a, 2)].flat()).toEqual(
    Array(3).fill('next'),
  )
})

test('silence is told once', () => {
  const senders = createSenders(options)
  frames(senders, a, 1)
  frames(senders, b, 1)
  expect(ticks(senders, 2)).toEqual([0, 0])
  expect(senders.sign(a, { order: 2, seq: 1 })).toBe('next')
  expect(ticks(senders, 4)).toEqual([1, 0, 1, 0])
})

describe('what is sent again by somebody who recorded it', () => {
  test('is old, also when its sender has long been gone', () => {
    const senders = createSenders(options)
    frames(senders, a, 1, 2)
    senders.sign(a, { order: 3, seq: 2 })
    frames(senders, b, 1)
    senders.leave(b)
    expect(ticks(senders, 9).reduce((sum, lost) => sum + lost)).toBe(1)
    expect([...frames(senders, a, 1, 2), ...frames(senders, b, 1)]).toEqual(['old', 'old', 'old'])
    expect(senders.sign(a, { order: 3, seq: 2 })).toBe('old')
    // Neither has come back to life by it, to be missed again.
    expect(ticks(senders, 9)).toEqual(Array(9).fill(0))
  })

  test('does not hide that the sender has fallen silent', () => {
    const senders = createSenders(options)
    frames(senders, a, 1)
    senders.sign(a, { order: 2, seq: 1 })
    const told = [1, 2, 3].map(() => {
      expect(senders.sign(a, { order: 2, seq: 1 })).toBe('old')
      expect(frames(senders, a, 1)).toEqual(['old'])
      return senders.tick()
    })
    expect(told).toEqual([0, 0, 1])
  })

  test('does not turn numbers back', () => {
    const senders = createSenders(options)
    senders.sign(a, { order: 1, seq: 0 })
    expect(senders.sign(a, { order: 1, seq: 0 })).toBe('old')
    expect(senders.frame(a, { order: 9, seq: 9 })).toBe('gap')
    expect(senders.frame(a, { order: 10, seq: 10 })).toBe('next')
  })
})

test('a sender that said farewell is not missed, and goes on where it was if it was not its last word', () => {
  const senders = createSenders(options)
  frames(senders, a, 1)
  senders.leave(a)
  expect(ticks(senders, 3)).toEqual([0, 0, 0])
  expect(frames(senders, a, 2)).toEqual(['next'])
  expect(ticks(senders, 3)).toEqual([0, 0, 1])
})

test('past the limit the sender heard least recently is forgotten, which costs a gap and misses none', () => {
  const senders = createSenders({ ...options, limit: 2 })
  frames(senders, a, 1)
  frames(senders, b, 1)
  frames(senders, a, 2)
  frames(senders, c, 1)
  expect([senders.knows(a), senders.knows(b), senders.knows(c)]).toEqual([true, false, true])
  expect(frames(senders, a, 3)).toEqual(['next'])
  expect(frames(senders, b, 2)).toEqual(['gap'])
})

describe('two nodes of one name', () => {
  const twin = { ...a, incarnation: 9 }
  const alive = (senders: Senders, from: typeof a, order: number) => senders.sign(from, { order, seq: 0 })

  test('are told when both speak, and no longer when one has stopped', () => {
    const senders = createSenders(options)
    for (let order = 1; order <= 3; order++) {
      alive(senders, a, order)
      alive(senders, twin, order)
      expect(senders.twins()).toEqual(order < 2 ? [] : ['a'])
      senders.tick()
    }
    senders.leave(twin)
    expect(senders.twins()).toEqual([])
  })

  test('one that was killed and started again is no twin', () => {
    const senders = createSenders(options)
    alive(senders, a, 1)
    senders.tick()
    alive(senders, a, 2)
    for (let order = 1; order <= 5; order++) {
      alive(senders, twin, order)
      expect(senders.twins()).toEqual([])
      senders.tick()
    }
  })

  test('we ourselves may be one', () => {
    const senders = createSenders(options)
    const other = { ...self, incarnation: 4 }
    alive(senders, other, 1)
    expect(senders.twins()).toEqual([])
    senders.tick()
    alive(senders, other, 2)
    expect(senders.twins()).toEqual(['self'])
    ticks(senders, 3)
    expect(senders.twins()).toEqual([])
  })
})

test('whatever is lost, doubled or late: what was not heard in time is told as a gap', () => {
  // What a sender sends: frames and signs, numbered. What arrives of it: any of these, any number of times.
  const sent = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
  const arrivals = fc.array(fc.nat(11), { maxLength: 40 })
  fc.assert(
    fc.property(sent, arrivals, (kinds, indexes) => {
      const senders = createSenders(options)
      let events = 0
      const wire = kinds.map((sign, index) => ({ sign, order: index + 1, seq: sign ? events : ++events }))
      // Covered: heard, or lost before a gap was told.
      let covered = 0
      let order = 0
      for (const index of indexes) {
        const frame = wire[index]
        if (frame === undefined) continue
        const heard = frame.sign ? senders.sign(a, frame) : senders.frame(a, frame)
        if (frame.order <= order) {
          expect(heard).toBe('old')
          continue
        }
        expect(heard).toBe(frame.seq === covered + (frame.sign ? 0 : 1) ? 'next' : 'gap')
        covered = frame.seq
        order = frame.order
      }
    }),
  )
})
