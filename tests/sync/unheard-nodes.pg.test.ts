/** A node without Redis beside others on one log: it knows only its own part of each sum, and says so. */
import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import type { OutgoingEvent } from '../../src/machines/define.ts'
import { createTestDatabase } from '../support/database.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from './eventually.ts'

async function create(node: RuntimeNode, type: string, event: OutgoingEvent) {
  const created = await node.create(type, event)
  if (!created.ok) throw new Error(created.reason)
  return created.actor
}

test('a node without Redis that has others beside it warns, and tells the log no sums', async context => {
  const database = await createTestDatabase()
  context.onTestFinished(() => database.drop())
  const log = createRecordingLog()
  const start = async (name: string) => {
    const home = await temporaryFolder(name)
    const node = await createNode({ database: database.url, keys: TEST_KEYS, home, name, log })
    context.onTestFinished(async () => {
      await node.close()
      await rm(home, { recursive: true, force: true })
    })
    return node
  }
  const alone = await start('a')
  expect((await alone.health()).components.bus.status).toBe('ok')
  const beside = await start('b')
  const { bus } = (await beside.health()).components
  expect(bus).toMatchObject({
    status: 'degraded',
    detail: { warnings: [expect.stringMatching(/\(a\).*no REDIS_URL/)] },
  })
  expect(log.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { nodes: ['a'] } }])

  const email = 'ada@example.org'
  const user = await create(beside, 'user', { type: 'user.registered', username: 'ada', email, passwordHash: 'x' })
  const stream = await create(beside, 'stream', { type: 'stream.created', userId: user.id, name: 'x', streamKey: 'x' })
  await beside.actors.actor(stream).send({ type: 'stream.started' })
  const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
  const session = await create(beside, 'session', {
    ...{ type: 'session.created', userId: user.id, tokenHash: 'x', expiresAt },
  })
  beside.live('stream', stream.id).set('viewers', 3)
  expect(await beside.live('stream', stream.id).opened()).toBe(true)
  expect(beside.live('stream', stream.id).read()).toMatchObject({ viewers: 3 })
  // Told in the same breath as the sums would be.
  beside.live('session', session.id).set('lastSeen', Date.now())
  await eventually(async () => expect(await typesOf(beside, 'session', session.id)).toContain('session.touched'))
  expect(await typesOf(beside, 'stream', stream.id)).not.toContain('stream.viewers.updated')
})

async function typesOf(node: RuntimeNode, type: string, id: number): Promise<string[]> {
  const types: string[] = []
  for await (const page of node.actor(type, id).history()) for (const event of page) types.push(event.type)
  return types
}
