/** What happens to a billing account. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { count, name, reference } from '../fields.ts'
import { billingRow } from './row.ts'

const subscriptionTier = z.enum(['free', 'pro', 'enterprise'])
const paymentMethod = name(50).nullable()
const monthlyLimitGb = count.nullable()

export const events = {
  'billing.opened': event(
    1,
    z.object({
      userId: reference,
      subscriptionTier: subscriptionTier.optional(),
      paymentMethod: paymentMethod.optional(),
      monthlyLimitGb: monthlyLimitGb.optional(),
    }),
  ),
  'billing.imported': event(1, z.object({ row: billingRow }), { internal: true }),
  'billing.tier.changed': event(1, z.object({ subscriptionTier })),
  'billing.limit.changed': event(1, z.object({ monthlyLimitGb })),
  'billing.payment-method.changed': event(1, z.object({ paymentMethod })),
  'billing.closed': event(1, z.object({})),
}

export type BillingEvent = MachineEvent<typeof events>
