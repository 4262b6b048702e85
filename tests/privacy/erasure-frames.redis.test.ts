/** What nodes tell each other of a user over a real Redis: sealed on its way, open on both sides, gone on both with the key. */
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { LogEvent } from '../../src/core/event.ts'
import { outageStage, registerUser, tentative } from '../journal/outage-stage.ts'
import { createRedisNodes } from '../support/redis-nodes.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { CANARY, CANARY_MARKS, letLoose } from './canary.ts'

const nodes = createRedisNodes()
beforeEach(() => nodes.open())
afterEach(() => nodes.close())

/** All that is published there from now on. */
async function taped(url: string): Promise<readonly string[]> {
  const recorder = new Redis(url)
  onTestFinished(() => recorder.disconnect())
  const tape: string[] = []
  await recorder.psubscribe('*')
  recorder.on('pmessageBuffer', (_pattern: Buffer, _channel: Buffer, payload: Buffer) => tape.push(payload.toString()))
  return tape
}

test('no frame holds a mark; subscribers of the other node hear what was given, in order', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await nodes.start('a', { keys: TEST_KEYS }), await nodes.start('b', { keys: TEST_KEYS })]
  const tape = await taped(nodes.url())
  await eventually(async () => {
    for (const node of [a, b]) expect((await node.health()).components.bus.status).toBe('ok')
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
})

test('nor does one that tells of what was accepted beside the log', { timeout: 60_000 }, async () => {
  const url = nodes.url()
  const stage = await outageStage({ onTestFinished })
  const a = await stage.start('a', { redis: url })
  const b = await stage.start('b', { redis: url })
  const tape = await taped(url)
  for (const { node } of [a, b])
    await eventually(async () => expect((await node.health()).components.bus.status).toBe('ok'))
  const ada = await registerUser(a.node, 'ada')
  const user = b.node.actor('user', ada)
  await user.state()
  a.link.cut()
  tentative(await a.node.actor('user', ada).send({ type: 'user.updated', displayName: `${CANARY} cut off` }))
  await eventually(async () =>
    expect(await user.state()).toMatchObject({ tentative: true, context: { row: { display_name: 'canary cut off' } } }),
  )
  a.link.mend()
  await a.healed()
  expect(tape.some(payload => payload.includes('"kind":"tentative"'))).toBe(true)
  expect(tape.filter(payload => payload.includes(CANARY))).toEqual([])
})
