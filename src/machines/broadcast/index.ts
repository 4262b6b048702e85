/** Broadcasts: each time a stream was on air. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { columns } from './row.ts'

export const broadcast = defineEntity({
  type: 'broadcast',
  machine,
  events,
  // No references: its stream may be deleted while it is being closed.
  view: rowView('stream_sessions', columns),
  goneIn: [],
  stateVersion: 2,
  maxId: MAX_INT4,
})
