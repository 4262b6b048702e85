/** Billing accounts: one for each user. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { type BillingContext, machine } from './machine.ts'
import { columns } from './row.ts'

export const billing = defineEntity({
  type: 'billing',
  machine,
  events,
  view: rowView('billing_accounts', columns),
  claims: ({ value, context }) => {
    const { row } = context as unknown as BillingContext
    return row === null || value === 'deleted' ? [] : [{ kind: 'billing.user', key: String(row.user_id) }]
  },
  references: userNamedIn('billing.opened'),
  maxId: MAX_INT4,
})
