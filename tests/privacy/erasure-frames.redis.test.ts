/** What nodes tell each other of a user over a real Redis: sealed on its way, open on both sides, gone on both with the key. */
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import type { LogEvent } from '../../src/core/event.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'
import { CANARY_MARKS, letLoose } from './canary.ts'

let database: TestDatabase
let redis: PrivateRedis
const nodes: RuntimeNode[] = []
beforeEach(async () => {
  database = await createTestDatabase()
  redis = await startPrivateRedis()
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
  await redis.stop()
  await database.drop()
})

test('no frame holds a mark; subscribers of the other node hear what was given, in order', {
  timeout: 60_000,
}, async () => {
  const url = `redis://127.0.0.1:${redis.port}`
  for (const name of ['a', 'b'])
    nodes.push(await createNode({ database: database.url, redis: url, name, keys: TEST_KEYS, log: silentLogger }))
  const [a, b] = nodes as [RuntimeNode, RuntimeNode]
  const recorder = new Redis(url)
  const tape: string[] = []
  await recorder.psubscribe('*')
  recorder.on('pmessageBuffer', (_pattern: Buffer, _channel: Buffer, payload: Buffer) => tape.push(payload.toString()))
  await eventually(async () => {
    for (const node of nodes) expect((await node.health()).components.bus.status).toBe('ok')
  })
  const heard: LogEvent[] = []
  b.subscribe('user.*', event => heard.push(event))
  const { userId } = await letLoose(a)
  const told = (await Array.fromAsync(a.log.readStream(a.actor('user', userId).ref))).flat()
  await eventually(() => expect(heard).toEqual(told))
  expect(CANARY_MARKS.some(mark => JSON.stringify(heard).includes(mark))).toBe(true)
  expect((await b.actor('user', userId).state()).context).toMatchObject({ row: { username: 'canary-name' } })

  expect(await a.accounts.administration.erase(userId)).toMatchObject({ ok: true, done: true })
  await eventually(() => expect(heard.at(-1)?.type).toBe('user.forgotten'))
  // Not after a minute: it was told.
  expect(JSON.stringify((await Array.fromAsync(b.log.readStream(b.actor('user', userId).ref))).flat())).not.toContain(
    'canary',
  )
  expect(tape.length).toBeGreaterThan(20)
  expect(tape.filter(payload => CANARY_MARKS.some(mark => payload.includes(mark)))).toEqual([])
  recorder.disconnect()
})
