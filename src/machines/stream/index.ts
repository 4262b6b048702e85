/** Streams: what a host offers, and whether it is live. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { closeBroadcast, openBroadcast } from './effects.ts'
import { events } from './events.ts'
import { live } from './live.ts'
import { machine, type StreamContext } from './machine.ts'
import { merge } from './merge.ts'
import { columns } from './row.ts'

export const stream = defineEntity({
  type: 'stream',
  machine,
  events,
  view: rowView('streams', columns),
  claims: ({ value, context }) => {
    const { row } = context as unknown as StreamContext
    return row === null || value === 'deleted' ? [] : [{ kind: 'stream.key', key: row.stream_key }]
  },
  references: userNamedIn('stream.created'),
  effects: { openBroadcast, closeBroadcast },
  stateVersion: 2,
  maxId: MAX_INT4,
  live,
  merge,
})
