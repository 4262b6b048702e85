/** Factors: what a user shows beside the password. One actor for each method of each user. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { type FactorContext, machine } from './machine.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

export const factor = defineEntity({
  type: 'factor',
  machine,
  events,
  view: rowView('user_mfa', columns, ['absent', 'removed']),
  claims: ({ value, context }) => {
    const { row, passkeys } = context as unknown as FactorContext
    if (row === null || value === 'removed') return []
    return [
      { kind: 'factor', key: `${row.user_id}/${row.method}` },
      ...passkeys.map(({ id }) => ({ kind: 'passkey', key: id })),
    ]
  },
  references: userNamedIn('factor.enrolled'),
  goneIn: ['removed'],
  personal,
  stateVersion: 2,
  maxId: MAX_INT4,
})
