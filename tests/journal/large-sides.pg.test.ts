/** Both sides of a conflict are as large as events may be: the log takes the record, and the journal is emptied. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { createInProcessHub } from '../../src/index.ts'
import { defineEntity, type EntityDefinition, event, type MachineEvent } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { lww } from '../../src/machines/merge-rules.ts'
import type { PersonalDefinition } from '../../src/machines/personal.ts'
import { accepted, outageStage, registerUser, tentative } from './outage-stage.ts'

const events = { 'note.written': event(1, z.object({ text: z.string() })) }

const machine = setup({
  types: {} as { context: { text: string }; events: MachineEvent<typeof events> },
}).createMachine({
  context: { text: '' },
  initial: 'written',
  states: { written: { on: { 'note.written': { actions: assign(({ event: { text } }) => ({ text })) } } } },
})

function note(personal?: PersonalDefinition): EntityDefinition {
  return defineEntity({
    type: 'note',
    machine,
    events,
    goneIn: [],
    merge: { 'note.written': lww({ text: 'keep-both' }) },
    ...(personal === undefined ? {} : { personal }),
  })
}

const TEXT = 60_000

describe.each([
  ['of nobody', undefined],
  ['of a user, which are sealed', { subject: () => 1, fields: { 'note.written': { text: 'erased' } } }],
])('texts %s', (_, personal) => {
  test('the conflict has both', { timeout: 60_000 }, async () => {
    const { start } = await outageStage({ onTestFinished })
    const options = { entities: [...entities, note(personal)], hub: createInProcessHub() }
    const { node, link, healed } = await start('a', options)
    const { node: other } = await start('b', options)
    expect(await registerUser(other, 'ada')).toBe(1)
    accepted(await node.actor('note', 1).send({ type: 'note.written', text: 'short' }))
    link.cut()
    tentative(await node.actor('note', 1).send({ type: 'note.written', text: 'a'.repeat(TEXT) }))
    accepted(await other.actor('note', 1).send({ type: 'note.written', text: 'b'.repeat(TEXT) }))
    link.mend()
    await healed()
    const [conflict] = await other.log.listActors('conflict', 0, 10)
    const { context } = await other.actor('conflict', conflict?.id ?? 0).state()
    expect(JSON.stringify(context).length).toBeGreaterThan(TEXT)
    const [opened] = (await Array.fromAsync(node.actor('conflict', conflict?.id ?? 0).history())).flat()
    expect(opened?.data).toMatchObject({ given: { text: 'a'.repeat(TEXT) } })
  })
})
