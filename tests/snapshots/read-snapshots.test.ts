/** Which delta a node gives: the events, or the whole snapshot where these are too many or too large. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { defineEntity, event, type MachineEvent } from '../../src/machines/define.ts'
import { MAX_DELTA_EVENTS } from '../../src/snapshots/delta.ts'

const events = {
  'pad.written': event(1, z.object({ text: z.string() })),
  'pad.read': event(1, z.object({})),
}
const base = setup({ types: {} as { context: { text: string; reads: number }; events: MachineEvent<typeof events> } })
const machine = base.createMachine({
  context: { text: '', reads: 0 },
  initial: 'open',
  states: {
    open: {
      on: {
        'pad.written': { actions: assign({ text: ({ context, event: { text } }) => context.text + text }) },
        'pad.read': { actions: assign({ reads: ({ context }) => context.reads + 1 }) },
      },
    },
  },
})
const pad = defineEntity({ type: 'pad', machine, events })

const WRITES = 8
let node: RuntimeNode
beforeAll(async () => {
  node = await createNode({ memory: true, name: 'a', log: silentLogger, entities: [pad] })
  // A state that is larger than any thousand readings of it.
  for (let n = 0; n < WRITES; n++) await node.actor('pad', 1).send({ type: 'pad.written', text: 'x'.repeat(60_000) })
})
afterAll(() => node.close())

async function read(times: number): Promise<void> {
  const results = await Promise.all(
    Array.from({ length: times }, () => node.actor('pad', 1).send({ type: 'pad.read' })),
  )
  expect(results.every(({ ok }) => ok)).toBe(true)
}

test('a thousand events are told one by one, one more is a snapshot', async () => {
  await read(MAX_DELTA_EVENTS)
  const full = await node.getDelta('pad', 1, WRITES)
  if (full.kind !== 'events') throw new Error('the events are smaller than the snapshot')
  expect(full.events.map(({ version }) => version)).toEqual(
    Array.from({ length: MAX_DELTA_EVENTS }, (_, index) => WRITES + 1 + index),
  )
  await read(1)
  expect(await node.getDelta('pad', 1, WRITES)).toMatchObject({
    kind: 'snapshot',
    from: WRITES,
    to: WRITES + MAX_DELTA_EVENTS + 1,
    snapshot: { version: WRITES + MAX_DELTA_EVENTS + 1 },
  })
  expect((await node.getDelta('pad', 1, WRITES + 1)).kind).toBe('events')
})

test('few events that take more than the snapshot are one', async () => {
  expect((await node.getDelta('pad', 1, 0)).kind).toBe('snapshot')
})
