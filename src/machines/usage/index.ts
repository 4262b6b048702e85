/** Usage: one actor for each entry of the usage log. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { columns } from './row.ts'

const view = rowView('usage_logs', columns)

export const usage = defineEntity({
  type: 'usage',
  machine,
  events,
  view: { ...view, columns: { ...view.columns, id: 'bigint' } },
  // Not the stream: usage outlives it.
  references: ({ type, userId }) => (type === 'usage.recorded' ? [{ type: 'user', id: Number(userId) }] : []),
  goneIn: [],
})
