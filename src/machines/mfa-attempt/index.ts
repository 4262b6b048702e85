/** Attempts to show a factor: one actor for each. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

const view = rowView('mfa_attempts', columns)

export const mfaAttempt = defineEntity({
  type: 'mfa-attempt',
  machine,
  events,
  view: { ...view, columns: { ...view.columns, id: 'bigint' } },
  references: ({ type, userId }) => (type === 'mfa.attempted' ? [{ type: 'user', id: Number(userId) }] : []),
  personal,
  goneIn: [],
})
