/** A long outage of a busy actor: what it costs grows with what was accepted, and not with the square of it. */
import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { custom } from '../../src/machines/merge-rules.ts'
import { session } from '../../src/machines/session/index.ts'
import { createTestDatabase } from '../support/database.ts'
import { openFaultProxy } from '../support/fault-proxy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { accepted, history, openSession, outageStage, registerUser, tentative } from './outage-stage.ts'

test('each entry is brought to the log without reading those before it again', async ({ onTestFinished }) => {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const home = await temporaryFolder('drain')
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  let told = 0
  const proxy = await openFaultProxy(database.url, {
    inspect: (data, way) => {
      if (way === 'toClient') told += data.length
      return true
    },
  })
  onTestFinished(() => proxy.close())
  const node = await createNode({
    ...{ database: proxy.via(database.url), home, name: 'a', keys: TEST_KEYS, log: silentLogger, readPatienceMs: 800 },
  })
  onTestFinished(() => {
    proxy.heal()
    return node.close()
  })
  const userId = await registerUser(node, 'ada')
  const created = await node.create('stream', { type: 'stream.created', userId, name: 'x', streamKey: 'k' })
  const stream = node.actor('stream', accepted(created).actor.id)
  accepted(await stream.send({ type: 'stream.started' }))
  const join = { type: 'viewer.joined' }

  /** Bytes that Postgres tells for each of so many entries. */
  const costOf = async (entries: number): Promise<number> => {
    proxy.cut()
    tentative(await stream.send(join))
    for (const answer of await Promise.all(Array.from({ length: entries - 1 }, () => stream.send(join))))
      tentative(answer)
    const before = told
    proxy.heal()
    await eventually(() => expect(node.actors.outage()).toMatchObject({ away: false, pending: 0 }))
    return (told - before) / entries
  }
  const few = await costOf(50)
  const many = await costOf(400)
  expect(many).toBeLessThan(2 * few)
  expect(await stream.state()).toMatchObject({ context: { row: { viewer_count: 450 } } })
  expect((await history(node, 'stream', stream.ref.id)).filter(({ type }) => type === join.type)).toHaveLength(450)
})

test('each is accepted, and the state read, without merging those before it again', async context => {
  const { start } = await outageStage(context)
  let merged = 0
  const rule = custom(({ event }) => {
    merged++
    return { outcome: 'applied', data: event.data }
  })
  const counting = { ...session, merge: { ...session.merge, 'session.touched': rule } }
  const { node, link, healed } = await start('a', {
    entities: entities.map(entity => (entity.type === session.type ? counting : entity)),
  })
  const ada = node.actor('session', await openSession(node, await registerUser(node, 'ada'), 'token'))
  link.cut()
  for (let n = 1; n <= 100; n++) {
    tentative(await ada.send({ type: 'session.touched', ipAddress: `192.0.2.${n}` }))
    // Somebody reads what was accepted, too; a session that is active is not told without the log.
    await expect(ada.state()).rejects.toMatchObject({ code: 'log_unavailable' })
  }
  tentative(await ada.send({ type: 'session.closed' }))
  expect(await ada.state()).toMatchObject({
    state: 'closed',
    pending: { own: 101, others: 0 },
    context: { row: { ip_address: '192.0.2.100' } },
  })
  expect(merged).toBeLessThan(200)
  link.mend()
  await healed()
  expect(await ada.state()).toMatchObject({
    state: 'closed',
    version: 102,
    context: { row: { ip_address: '192.0.2.100' } },
  })
})
