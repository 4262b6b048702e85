/** Attempts to show a factor: one actor for each. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

export const mfaAttempt = defineEntity({
  type: 'mfa-attempt',
  machine,
  events,
  view: rowView('mfa_attempts', columns),
  references: userNamedIn('mfa.attempted'),
  personal,
  goneIn: [],
})
