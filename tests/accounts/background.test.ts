/** Work that follows an answer. */
import { expect, test } from 'vitest'
import { createBackground } from '../../src/accounts/background.ts'
import { createRecordingLog } from '../support/recording-log.ts'

test('begins after the caller went on, a few pieces at a time, and a failure is logged and stops none', async () => {
  const log = createRecordingLog()
  const background = createBackground(log)
  const begun: number[] = []
  const ended: (() => void)[] = []
  for (let piece = 0; piece < 6; piece++)
    background.run('a piece', async () => {
      begun.push(piece)
      await new Promise<void>(resolve => ended.push(resolve))
      if (piece === 0) throw new Error('it broke')
    })
  expect(begun).toEqual([])
  await new Promise(resolve => setImmediate(resolve))
  expect(begun).toEqual([0, 1, 2, 3])
  const idle = background.idle()
  while (ended.length > 0) {
    for (const end of ended.splice(0)) end()
    await new Promise(resolve => setImmediate(resolve))
  }
  await idle
  expect(begun).toEqual([0, 1, 2, 3, 4, 5])
  expect(log.lines).toEqual([
    expect.objectContaining({ level: 'error', fields: expect.objectContaining({ what: 'a piece' }) }),
  ])
})

test('is bounded: what is too much is left out, and the log says so', async () => {
  const log = createRecordingLog()
  const background = createBackground(log)
  let done = 0
  for (let piece = 0; piece < 1_100; piece++) background.run('a piece', async () => void done++)
  await background.idle()
  expect(done).toBe(1_000)
  expect(log.lines).toHaveLength(100)
})
