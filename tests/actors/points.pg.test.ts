/** Points of a history that are asked for in process: what is none is refused, not answered with another one. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RuntimeNode } from '../../src/app.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

let runtime: TestRuntime
let node: RuntimeNode
let id: number
beforeAll(async () => {
  runtime = await startRuntime()
  node = runtime.node
  const created = await node.create('user', {
    type: 'user.registered',
    username: 'ada',
    email: 'ada@example.org',
    passwordHash: 'x',
  })
  id = created.actor?.id ?? 0
})
afterAll(() => runtime.stop())

test.each([
  { version: -1 },
  { version: 1.5 },
  { version: Number.NaN },
  { version: 9e99 },
  { at: 'yesterday' },
  { at: '' },
  { at: '2026-99-99T00:00:00Z' },
  {},
])('%j is no point', async point => {
  await expect(node.actor('user', id).stateAt(point as { at: string })).rejects.toMatchObject({
    code: 'invalid_input',
  })
})

test('a version beyond the last is the last, however large', async () => {
  expect(await node.actor('user', id).stateAt({ version: 3_000_000_000 })).toMatchObject({ version: 1 })
  expect(await node.actor('user', id).stateAt({ version: 0 })).toMatchObject({ version: 0 })
})

test.each([{ from: -1 }, { from: 1.5 }, { to: Number.NaN }])('%j is no range', range => {
  expect(() => node.actor('user', id).history(range)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
})

test('a range beyond the last version is empty, however large', async () => {
  const events = []
  for await (const chunk of node.actor('user', id).history({ from: 3_000_000_000 })) events.push(...chunk)
  expect(events).toEqual([])
})
