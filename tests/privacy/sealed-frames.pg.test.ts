/** Frames whose key a node does not have at hand: left to the log, and nothing that is in memory is lost for them. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { createInProcessHub } from '../../src/index.ts'
import { PersonalKeys } from '../../src/privacy/personal-keys.ts'
import { systemClock } from '../../src/system-clock.ts'
import { accepted, outageStage, registerUser, tentative } from '../journal/outage-stage.ts'
import { eventually } from '../sync/eventually.ts'

/** Longer than a node keeps a key. */
const LATER_MS = 61_000

test('a copy in memory stays, and is brought up to the log by the next read', { timeout: 60_000 }, async () => {
  const { start } = await outageStage({ onTestFinished })
  const hub = createInProcessHub()
  const { node: writer } = await start('a', { hub })
  let late = 0
  const clock = { ...systemClock, now: () => systemClock.now() + late }
  const { node: listener } = await start('b', { hub, clock })
  const ada = await registerUser(writer, 'ada')
  const user = listener.actor('user', ada)
  expect(await user.state()).toMatchObject({ version: 1 })
  late = LATER_MS
  const heard: unknown[] = []
  listener.subscribe('user.updated', ({ data }) => heard.push(data))
  accepted(await writer.actor('user', ada).send({ type: 'user.updated', displayName: 'Ada' }))
  await eventually(() => expect(heard).toEqual([{ displayName: 'Ada' }]))
  expect(user.remembered()).toMatchObject({ version: 1 })
  expect(await user.state()).toMatchObject({ version: 2, context: { row: { display_name: 'Ada' } } })
})

test('what others accepted beside the log is shown on top of it', { timeout: 60_000 }, async () => {
  const { start } = await outageStage({ onTestFinished })
  const hub = createInProcessHub()
  const { node: cut, link } = await start('a', { hub })
  const { node: writer } = await start('b', { hub })
  let late = 0
  const clock = { ...systemClock, now: () => systemClock.now() + late }
  const { node: listener } = await start('c', { hub, clock })
  const ada = await registerUser(writer, 'ada')
  await cut.actor('user', ada).state()
  const user = listener.actor('user', ada)
  await user.state()
  link.cut()
  tentative(await cut.actor('user', ada).send({ type: 'user.updated', displayName: 'cut off' }))
  await eventually(async () =>
    expect(await user.state()).toMatchObject({ tentative: true, context: { row: { display_name: 'cut off' } } }),
  )
  late = LATER_MS
  accepted(await writer.actor('user', ada).send({ type: 'user.updated', avatarUrl: 'https://example.org/a.png' }))
  await eventually(async () =>
    expect(await user.state()).toMatchObject({
      version: 2,
      tentative: true,
      context: { row: { display_name: 'cut off', avatar_url: 'https://example.org/a.png' } },
    }),
  )
  link.mend()
})

test('no key is asked for where nobody listens, and who listens is told what was given', {
  timeout: 60_000,
}, async () => {
  const { start } = await outageStage({ onTestFinished })
  const hub = createInProcessHub()
  const { node: writer } = await start('a', { hub })
  const { node: listener } = await start('b', { hub })
  const made = vi.spyOn(PersonalKeys.prototype, 'make')
  const read = vi.spyOn(PersonalKeys.prototype, 'read')
  onTestFinished(() => void vi.restoreAllMocks())
  const askedByListener = () => read.mock.contexts.filter(keys => keys !== made.mock.contexts[0])
  const streams: unknown[] = []
  listener.subscribe('stream.created', ({ data }) => streams.push(data['name']))
  const ada = await registerUser(writer, 'ada')
  accepted(await writer.create('stream', { type: 'stream.created', userId: ada, name: 'first', streamKey: 'key' }))
  await eventually(() => expect(streams).toEqual(['first']))
  expect(made).toHaveBeenCalled()
  expect(askedByListener()).toEqual([])

  const users: unknown[] = []
  listener.subscribe('user.*', ({ data }) => users.push(data))
  accepted(await writer.actor('user', ada).send({ type: 'user.updated', displayName: 'Ada' }))
  await eventually(() => expect(users).toEqual([{ displayName: 'Ada' }]))
  expect(askedByListener()).not.toEqual([])
})
