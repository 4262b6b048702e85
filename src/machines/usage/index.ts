/** Usage: one actor for each entry of the usage log. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { columns } from './row.ts'

export const usage = defineEntity({
  type: 'usage',
  machine,
  events,
  view: rowView('usage_logs', columns),
  // Not the stream: usage outlives it.
  references: userNamedIn('usage.recorded'),
  goneIn: [],
})
