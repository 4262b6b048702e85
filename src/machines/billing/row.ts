/** The row of `billing_accounts`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  user_id: 'integer',
  payment_method: 'varchar',
  subscription_tier: 'varchar',
  monthly_limit_gb: 'integer',
  created_at: 'timestamp',
  updated_at: 'timestamp',
} as const

export const billingRow = z.strictObject({
  user_id: was.int,
  payment_method: was.text.nullable(),
  subscription_tier: was.text.nullable(),
  monthly_limit_gb: was.int.nullable(),
  created_at: was.time.nullable(),
  updated_at: was.time.nullable(),
})

export type BillingRow = z.output<typeof billingRow>
