import { describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import type { Append } from '../../src/core/ports.ts'
import { AppendQueue, type QueueBounds } from '../../src/eventstore/append-queue.ts'
import { append, newEvent } from './log-stage.ts'

const BOUNDS: QueueBounds = { batchEvents: 100, batchBytes: 10_000, appends: 1_000, bytes: 1_000_000 }

function queueOf(appends: readonly Append[], bounds: Partial<QueueBounds> = {}, bytes = 10): AppendQueue {
  const queue = new AppendQueue({ ...BOUNDS, ...bounds })
  for (const [index, one] of appends.entries())
    queue.push({ append: one, data: [], n: index, bytes, resolve: () => {}, reject: () => {} })
  return queue
}

/** The batches that come out, as the places the appends had in the queue. */
function batches(queue: AppendQueue): number[][] {
  const all: number[][] = []
  while (queue.length > 0) all.push(queue.nextBatch().map(({ n }) => n))
  return all
}

const under = (id: string) => ({ events: [newEvent({ commandId: id })] })
const name = (key: string) => [{ kind: 'name', key }]
const to = (...ids: number[]) => ({ references: ids.map(id => ({ ...actorRef('thing', id), goneIn: ['off'] })) })

describe('a batch', () => {
  test('takes everything that waits and does not collide, in order', () => {
    expect(batches(queueOf([append(1, 0), append(2, 0), append(3, 0)]))).toEqual([[0, 1, 2]])
  })

  test('holds an actor once; its appends keep their order', () => {
    expect(batches(queueOf([append(1, 0), append(2, 0), append(1, 1), append(3, 0), append(1, 2)]))).toEqual([
      [0, 1, 3],
      [2],
      [4],
    ])
  })

  test('holds a command id once', () => {
    expect(batches(queueOf([append(1, 0, under('c')), append(2, 0, under('c')), append(3, 0, under('d'))]))).toEqual([
      [0, 2],
      [1],
    ])
  })

  test('holds a claim once, whether it is taken or given back', () => {
    expect(
      batches(
        queueOf([
          append(1, 0, { releases: name('ada') }),
          append(2, 0, { claims: name('ada') }),
          append(3, 0, { claims: name('bob') }),
        ]),
      ),
    ).toEqual([[0, 2], [1]])
  })

  test('lets nothing overtake what had to wait', () => {
    // 1 waits for 0 (claim); 2 is of the actor of 1; 3 has the command id of 2.
    expect(
      batches(
        queueOf([
          append(1, 0, { claims: name('ada') }),
          append(2, 0, { claims: name('ada') }),
          append(2, 1, under('c')),
          append(3, 0, under('c')),
        ]),
      ),
    ).toEqual([[0], [1], [2], [3]])
  })

  test('holds no append of an actor that another refers to, whichever comes first', () => {
    expect(batches(queueOf([append(9, 1), append(1, 0, to(9)), append(2, 0)]))).toEqual([[0, 2], [1]])
    expect(batches(queueOf([append(1, 0, to(9)), append(9, 1), append(2, 0)]))).toEqual([[0, 2], [1]])
  })

  test('holds as many as there are that refer to the same actor', () => {
    expect(batches(queueOf([append(1, 0, to(9)), append(2, 0, to(8, 9)), append(3, 0, to(9, 8))]))).toEqual([[0, 1, 2]])
  })

  test('lets an actor that is referred to all the time have its turn', () => {
    // 1 is of the actor that all others refer to: what came after it waits for it, and what came before does not.
    const all = [append(1, 0, to(9)), append(9, 1), append(2, 0, to(9)), append(9, 2), append(3, 0, to(9))]
    expect(batches(queueOf(all))).toEqual([[0], [1], [2], [3], [4]])
  })

  test('lets nothing overtake a reference that had to wait', () => {
    // 1 waits for 0 (actor) and refers to 9; 2 is of 9; 3 refers to 9 too, and 4 to nobody.
    const all = [append(1, 0), append(1, 1, to(9)), append(9, 1), append(3, 0, to(9)), append(4, 0)]
    expect(batches(queueOf(all))).toEqual([[0, 4], [1], [2], [3]])
  })

  test('holds an append that refers to its own actor', () => {
    expect(batches(queueOf([append(1, 0, to(1)), append(2, 0)]))).toEqual([[0, 1]])
  })

  test('is bounded by events and by bytes', () => {
    const five = [1, 2, 3, 4, 5].map(id => append(id, 0))
    expect(batches(queueOf(five, { batchEvents: 2 }))).toEqual([[0, 1], [2, 3], [4]])
    expect(batches(queueOf(five, { batchBytes: 35 }))).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
  })

  test('takes an append that is larger than the bound alone', () => {
    const many = append(1, 0, { events: Array.from({ length: 300 }, () => newEvent()) })
    expect(batches(queueOf([many, append(2, 0)]))).toEqual([[0], [1]])
  })

  test('of a queue full of one actor costs no look at all of it, and loses nothing', () => {
    const hot = Array.from({ length: 50 }, (_, version) => append(1, version))
    const all = batches(queueOf(hot, { batchEvents: 2 }))
    expect(all.flat()).toEqual(hot.map((_, index) => index))
  })
})

describe('a full queue', () => {
  const overloaded = expect.objectContaining({ code: 'overloaded', retryable: true })

  test('refuses by number', () => {
    const queue = queueOf([append(1, 0), append(2, 0)], { appends: 2 })
    expect(() => queue.refuseWhenFull(1)).toThrow(overloaded)
    queue.nextBatch()
    expect(() => queue.refuseWhenFull(1)).not.toThrow()
  })

  test('refuses by bytes', () => {
    const queue = queueOf([append(1, 0), append(2, 0)], { bytes: 30 })
    expect(() => queue.refuseWhenFull(10)).not.toThrow()
    expect(() => queue.refuseWhenFull(11)).toThrow(overloaded)
    queue.nextBatch()
    expect(() => queue.refuseWhenFull(30)).not.toThrow()
  })
})
