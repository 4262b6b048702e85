/** A node on a home whose journal was cut or damaged: what is intact reaches the log, and damage is never passed over. */
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from '../sync/eventually.ts'
import { history, type OutageStage, outageStage, registerUser, tentative } from './outage-stage.ts'

const NAMES = ['one', 'two', 'three']

/** A user renamed three times while the log was away, each in a frame of its own; the node is closed by then. */
async function leftBehind(stage: OutageStage) {
  const { node, link, home, close } = await stage.start('a')
  const ada = await registerUser(node, 'ada')
  const file = path.join(home, 'journal', 'events.journal')
  link.cut()
  const ends: number[] = []
  for (const displayName of NAMES) {
    tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName }, { commandId: displayName }))
    ends.push(statSync(file).size)
  }
  await close()
  expect(statSync(file).size).toBe(ends[2])
  return { ada, file, ends }
}

test('cut in the middle of its last frame, it brings all before that, and says what was cut', async context => {
  const stage = await outageStage(context)
  const { ada, file, ends } = await leftBehind(stage)
  const [, second = 0, third = 0] = ends
  truncateSync(file, Math.floor((second + third) / 2))
  const log = createRecordingLog()
  const { node } = await stage.start('a', { log })
  const events = await history(node, 'user', ada)
  expect(events.map(({ data }) => data['displayName'])).toEqual([undefined, 'one', 'two'])
  expect(log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toContainEqual(
    expect.objectContaining({ journal: file, kept: 2 }),
  )
  // What was cut can be sent again under its id.
  const again = { type: 'user.updated', displayName: 'three' }
  expect(await node.actor('user', ada).send(again, { commandId: 'three' })).toMatchObject({ ok: true, repeated: false })
})

test('damaged before its end, it keeps the node from starting, and stays as it is', async context => {
  const stage = await outageStage(context)
  const { file, ends } = await leftBehind(stage)
  const bytes = readFileSync(file)
  const middle = Math.floor((ends[0] ?? 0) / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  writeFileSync(file, bytes)
  await expect(stage.start('a')).rejects.toMatchObject({
    code: 'corrupt_data',
    message: expect.stringContaining(file),
  })
  expect(readFileSync(file).equals(bytes)).toBe(true)
  // Put right, it is all there.
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  writeFileSync(file, bytes)
  const { node } = await stage.start('a')
  expect(node.actors.outage()).toMatchObject({ pending: 0 })
})

test('not writable any more, it is told by the health of the node while Postgres is there', async context => {
  const stage = await outageStage(context)
  const { node, link, home, healed } = await stage.start('a')
  const ada = await registerUser(node, 'ada')
  link.cut()
  tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'one' }))
  // The mark cannot be written, as on a full disk, so the file cannot be emptied after the drain.
  mkdirSync(path.join(home, 'journal', 'journal.mark.new'))
  link.mend()
  await healed()
  await eventually(async () =>
    expect((await node.health()).components.journal).toMatchObject({
      status: 'degraded',
      detail: { pending: 0, clock: { refusing: expect.stringContaining('cannot be written') } },
    }),
  )
})
