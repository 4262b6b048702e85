/** An entity with a table of its own, made so that everything that can go wrong with a projection can be made to. */
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { Json } from '../../src/core/json.ts'
import { defineEntity, type EntityDefinition, event, type MachineEvent, type View } from '../../src/machines/define.ts'

const events = {
  'item.made': event(1, z.object({ name: z.string() })),
  'item.renamed': event(1, z.object({ name: z.string() })),
  'item.sized': event(2, z.object({ size: z.number() }), {
    upcasters: {
      1: ({ inches, ...rest }) => {
        if (typeof inches !== 'number') throw new Error('no inches')
        return { ...rest, size: inches * 25 }
      },
    },
  }),
  'item.removed': event(1, z.object({})),
}

interface Context {
  name: string
  size: number
}

const machine = setup({ types: {} as { context: Context; events: MachineEvent<typeof events> } }).createMachine({
  context: { name: '', size: 0 },
  initial: 'absent',
  states: {
    absent: { on: { 'item.made': { target: 'kept', actions: assign({ name: ({ event: { name } }) => name }) } } },
    kept: {
      on: {
        'item.renamed': { actions: assign({ name: ({ event: { name } }) => name }) },
        'item.sized': { actions: assign({ size: ({ event: { size } }) => size }) },
        'item.removed': 'deleted',
      },
    },
    deleted: {},
  },
})

/** `size` is an integer column, so a fraction is a value it refuses; above a thousand its check does; 13 breaks the view itself. */
export const ITEMS_TABLE = `
  create table items (
    id integer primary key,
    name text not null unique deferrable initially deferred,
    size integer not null default 0 check (size <= 1000),
    "timestamp" timestamp not null,
    -- Added by someone else: no projection knows of it.
    remark text
  )`

const view: View = {
  table: 'items',
  columns: { id: 'integer', name: 'text', size: 'integer', timestamp: 'timestamp' },
  row: (id, { value, context }) => {
    const { name, size } = context as unknown as Context
    if (size === 13) throw new Error('no view of that')
    return value === 'kept' ? { id, name, size, timestamp: '2026-01-01T00:00:00.000Z' } : null
  },
}

export const item: EntityDefinition = defineEntity({ type: 'item', machine, events, view })

/** The same events in another reading: a release that shows sizes doubled. */
export const doubledItem: EntityDefinition = {
  ...item,
  view: {
    ...view,
    row: (id, state) => {
      const row = view.row(id, state)
      return row === null ? null : { ...row, size: Number(row.size as Json) * 2 }
    },
  },
}

/** Has events and no table. */
export const note: EntityDefinition = defineEntity({ type: 'note', machine, events })
