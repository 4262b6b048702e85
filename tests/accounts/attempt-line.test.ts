/** The line of those that find no room: when it is asked again, and when not. */
import { expect, test } from 'vitest'
import { type AttemptLineParts, createAttemptLine } from '../../src/accounts/attempt-line.ts'
import type { RefusedAttempt, TakenAttempt } from '../../src/accounts/attempts.ts'
import { createManualClock } from '../support/manual-clock.ts'

const TAKEN: TakenAttempt = { ok: true, giveBack: async () => {} }
const FULL: RefusedAttempt = { ok: false, retryAfterMs: 30_000 }

/** A budget that answers when the test says so. */
function lineOf(others?: AttemptLineParts['others']) {
  const clock = createManualClock()
  const asked: ((answer: TakenAttempt | RefusedAttempt) => void)[] = []
  const line = createAttemptLine({
    clock,
    take: () => new Promise(resolve => void asked.push(resolve)),
    clear: async () => {},
    onEmpty: () => {},
    ...(others === undefined ? {} : { others }),
  })
  const answer = async (nth: number, given: TakenAttempt | RefusedAttempt) => {
    asked[nth]?.(given)
    await new Promise(setImmediate)
  }
  return { ...line, clock, asked, answer }
}

test('what was refused while the last one was settled is asked again', async () => {
  const { begin, asked, answer } = lineOf()
  const first = begin()
  await answer(0, TAKEN)
  const second = begin()
  const begun = await first
  if (!begun.ok) return expect.unreachable()
  await begun.settle('right')
  await answer(1, FULL)
  expect(asked).toHaveLength(3)
  await answer(2, TAKEN)
  expect(await second).toMatchObject({ ok: true })
})

test('when the budget is spent, the whole line is refused at once', async () => {
  const { begin, asked, answer } = lineOf()
  const first = begin()
  await answer(0, TAKEN)
  const waiting = Promise.all(Array.from({ length: 100 }, begin))
  await answer(1, FULL)
  expect(asked, 'it waits for the first').toHaveLength(2)
  const begun = await first
  if (!begun.ok) return expect.unreachable()
  await begun.settle('wrong')
  await answer(2, FULL)
  expect(await waiting).toEqual(Array(100).fill(FULL))
  expect(asked).toHaveLength(3)
})

test('a budget that cannot be asked fails the one that asked, and no other', async () => {
  const { begin, asked, answer } = lineOf()
  const first = begin()
  const second = begin()
  const failed = expect(first).rejects.toThrow('no answer')
  asked[0]?.(Promise.reject(new Error('no answer')) as never)
  await failed
  await answer(1, TAKEN)
  expect(await second).toMatchObject({ ok: true })
})

test('what other nodes are making is waited for; once they make none it is asked once more, for they may have settled', async () => {
  let elsewhere = true
  const { begin, clock, asked, answer } = lineOf({
    begun: async () => {},
    settled: async () => {},
    anyBegun: async () => elsewhere,
  })
  const attempt = begin()
  const beats = 20
  for (let beat = 0; beat < beats; beat++) {
    await answer(beat, FULL)
    expect(asked).toHaveLength(beat + 1)
    clock.advance(25)
    await answer(beats, FULL)
  }
  elsewhere = false
  await answer(beats, FULL)
  clock.advance(25)
  await answer(beats, FULL)
  expect(asked).toHaveLength(beats + 2)
  await answer(beats + 1, TAKEN)
  expect(await attempt).toMatchObject({ ok: true })
})
