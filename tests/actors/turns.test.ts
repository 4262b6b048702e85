/** Turns: never more than the limit, first come first served, and nothing kept of those that had theirs. */
import { expect, test } from 'vitest'
import { Turns } from '../../src/actors/turns.ts'

test('who comes when all turns are taken waits for one to be passed on', async () => {
  const turns = new Turns(2)
  expect([turns.take(), turns.take()]).toEqual([undefined, undefined])
  const order: number[] = []
  const waiting = [1, 2, 3].map(async n => {
    await turns.take()
    order.push(n)
  })
  expect(order).toEqual([])
  turns.done()
  await waiting[0]
  expect(order).toEqual([1])
  turns.done()
  turns.done()
  await Promise.all(waiting)
  expect(order).toEqual([1, 2, 3])
  turns.done()
  turns.done()
  expect([turns.take(), turns.take()]).toEqual([undefined, undefined])
  expect(turns.take()).toBeInstanceOf(Promise)
})

test('a queue that never runs empty does not grow', async () => {
  const turns = new Turns(1)
  turns.take()
  const order: number[] = []
  let next = turns.take()?.then(() => order.push(0))
  for (let n = 1; n <= 5_000; n++) {
    const after = turns.take()?.then(() => order.push(n))
    turns.done()
    await next
    next = after
    expect(turns.held).toBeLessThan(1_100)
  }
  expect(order).toEqual(Array.from({ length: 5_000 }, (_, n) => n))
})
