/** Live figures while Postgres is away: the nodes have them, so the journal is kept for what nobody else has. */
import { expect, test } from 'vitest'
import { eventually } from '../sync/eventually.ts'
import { accepted, history, outageStage, registerUser } from './outage-stage.ts'

test('are not journaled, and the log is told the newest of them when it is back', async context => {
  const { start } = await outageStage(context)
  const { node, link, healed } = await start('a')
  const userId = await registerUser(node, 'ada')
  const created = await node.create('stream', { type: 'stream.created', userId, name: 'x', streamKey: 'k' })
  const { id } = accepted(created).actor
  accepted(await node.actor('stream', id).send({ type: 'stream.started' }))
  const live = node.live('stream', id)
  expect(await live.opened()).toBe(true)
  link.cut()
  live.set('viewers', 20)
  live.add('bytesSent', 1_000)
  await eventually(() => expect(node.actors.outage()).toMatchObject({ away: true }))
  // As they are sent before it is known that the log is away.
  const sample = { type: 'stream.viewers.updated', viewers: 20 }
  await expect(node.actors.actor({ type: 'stream', id }).send(sample, { logOnly: true })).rejects.toMatchObject({
    code: 'log_unavailable',
  })
  expect(node.actors.outage()).toMatchObject({ pending: 0, bytes: 0 })
  expect(live.read()).toMatchObject({ viewers: 20, bytesSent: 1_000 })
  live.set('viewers', 30)

  link.mend()
  await healed()
  const told = async () =>
    (await history(node, 'stream', id)).filter(({ type }) =>
      ['stream.viewers.updated', 'stream.stats.updated'].includes(type),
    )
  await eventually(async () => expect(await told()).toHaveLength(2))
  expect((await told()).map(({ data, origin }) => ({ data, origin }))).toEqual([
    { data: { viewers: 30, peakViewers: 30 }, origin: undefined },
    { data: { bytesSent: 1_000 }, origin: undefined },
  ])
  expect(await node.log.listActors('conflict', 0, 10)).toEqual([])
})
