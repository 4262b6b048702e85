/** One frame for each committed batch. */
import { expect, test } from 'vitest'
import type { LogEvent } from '../../src/core/event.ts'
import { createFrameBatcher } from '../../src/sync/frame-batcher.ts'
import { logEvent } from './log-events.ts'

function open() {
  const frames: (readonly number[])[] = []
  const turns: (() => void)[] = []
  const batcher = createFrameBatcher({
    pass: (events: readonly LogEvent[]) => frames.push(events.map(({ position }) => position)),
    later: callback => turns.push(callback),
  })
  const endTurn = () => {
    for (const callback of turns.splice(0)) callback()
  }
  return { batcher, frames, endTurn }
}

test('what is committed in one turn is one frame, in its order', () => {
  const { batcher, frames, endTurn } = open()
  batcher.add([logEvent(1), logEvent(2)])
  batcher.add([logEvent(3)])
  expect(frames).toEqual([])
  endTurn()
  expect(frames).toEqual([[1, 2, 3]])
  batcher.add([logEvent(4)])
  endTurn()
  expect(frames).toEqual([[1, 2, 3], [4]])
})

test('a flush passes it on at once, and the end of the turn has nothing left', () => {
  const { batcher, frames, endTurn } = open()
  batcher.add([logEvent(1)])
  batcher.flush()
  batcher.flush()
  endTurn()
  expect(frames).toEqual([[1]])
})

test('what is added while a frame is passed on goes into the next', () => {
  const frames: number[] = []
  const turns: (() => void)[] = []
  const batcher = createFrameBatcher({
    pass: events => {
      frames.push(events.length)
      if (frames.length === 1) batcher.add([logEvent(2), logEvent(3)])
    },
    later: callback => turns.push(callback),
  })
  batcher.add([logEvent(1)])
  while (turns.length > 0) turns.shift()?.()
  expect(frames).toEqual([1, 2])
})

test('no events are no frame', () => {
  const { batcher, frames, endTurn } = open()
  batcher.add([])
  endTurn()
  batcher.flush()
  expect(frames).toEqual([])
})

test('by itself it waits for the answers of the whole batch, and no longer', async () => {
  const frames: number[] = []
  const batcher = createFrameBatcher({ pass: events => frames.push(events.length) })
  await Promise.all(
    [1, 2, 3].map(async position => {
      await Promise.resolve()
      batcher.add([logEvent(position)])
    }),
  )
  expect(frames).toEqual([])
  await new Promise(turn => setImmediate(turn))
  expect(frames).toEqual([3])
})
