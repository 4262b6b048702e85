/** An entity of one event, whose machine a test can change after history was written with it. */
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { defineEntity, type EntityDefinition, event, type MachineEvent } from '../../src/machines/define.ts'

const events = { 'door.pushed': event(1, z.object({})) }

/** @param third where the third push leads: the one thing a new release of the code does differently */
export function doorEntity(third = 'open'): EntityDefinition {
  const base = setup({ types: {} as { context: { pushes: number }; events: MachineEvent<typeof events> } })
  const count = base.createAction(assign({ pushes: ({ context: { pushes } }) => pushes + 1 }))
  const pushed = [
    { guard: ({ context }: { context: { pushes: number } }) => context.pushes === 2, target: third, actions: count },
    { target: 'open', actions: count },
  ]
  const machine = base.createMachine({
    context: { pushes: 0 },
    initial: 'absent',
    states: {
      absent: { on: { 'door.pushed': { target: 'open', actions: count } } },
      open: { on: { 'door.pushed': pushed } },
      ajar: { on: { 'door.pushed': { target: 'open', actions: count } } },
    },
  })
  return defineEntity({ type: 'door', machine, events })
}
