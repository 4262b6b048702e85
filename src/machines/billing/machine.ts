/** The life of a billing account: open until it is closed. */
import { assign, setup } from 'xstate'
import { changed, type WithRow } from '../read-row.ts'
import type { BillingEvent } from './events.ts'
import type { BillingRow } from './row.ts'

export interface BillingContext extends WithRow<BillingRow> {
  readonly row: BillingRow | null
}

export const machine = setup({ types: {} as { context: BillingContext; events: BillingEvent } }).createMachine({
  id: 'billing',
  context: { row: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'billing.opened': {
          target: 'open',
          actions: assign({
            row: ({ event }) => ({
              user_id: event.userId,
              payment_method: event.paymentMethod ?? null,
              subscription_tier: event.subscriptionTier ?? 'free',
              monthly_limit_gb: event.monthlyLimitGb ?? null,
              created_at: event.at,
              updated_at: event.at,
            }),
          }),
        },
        'billing.imported': { target: 'open', actions: assign({ row: ({ event }) => event.row }) },
      },
    },
    open: {
      on: {
        'billing.tier.changed': {
          actions: assign({
            row: ({ context, event }) =>
              changed(context.row, { subscription_tier: event.subscriptionTier, updated_at: event.at }),
          }),
        },
        'billing.limit.changed': {
          actions: assign({
            row: ({ context, event }) =>
              changed(context.row, { monthly_limit_gb: event.monthlyLimitGb, updated_at: event.at }),
          }),
        },
        'billing.payment-method.changed': {
          actions: assign({
            row: ({ context, event }) =>
              changed(context.row, { payment_method: event.paymentMethod, updated_at: event.at }),
          }),
        },
        'billing.closed': 'deleted',
      },
    },
    deleted: {},
  },
})
