import type { events } from '../../../src/machines/billing/events.ts'
import { no, type Table } from './table.ts'

export const billing: Table<'absent' | 'open' | 'deleted', typeof events> = {
  absent: {
    'billing.opened': 'open',
    'billing.imported': 'open',
    'billing.tier.changed': no,
    'billing.limit.changed': no,
    'billing.payment-method.changed': no,
    'billing.closed': no,
  },
  open: {
    'billing.opened': no,
    'billing.imported': no,
    'billing.tier.changed': 'open',
    'billing.limit.changed': 'open',
    'billing.payment-method.changed': 'open',
    'billing.closed': 'deleted',
  },
  deleted: {
    'billing.opened': no,
    'billing.imported': no,
    'billing.tier.changed': no,
    'billing.limit.changed': no,
    'billing.payment-method.changed': no,
    'billing.closed': no,
  },
}
