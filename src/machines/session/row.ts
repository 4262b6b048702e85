/** The row of `sessions`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  user_id: 'integer',
  session_token: 'varchar',
  device_id: 'varchar',
  user_agent: 'text',
  ip_address: 'inet',
  expires_at: 'timestamp',
  created_at: 'timestamp',
  last_activity: 'timestamp',
  is_active: 'boolean',
} as const

export const sessionRow = z.strictObject({
  user_id: was.int,
  session_token: was.text,
  device_id: was.text.nullable(),
  user_agent: was.text.nullable(),
  ip_address: was.text.nullable(),
  expires_at: was.time,
  created_at: was.time.nullable(),
  last_activity: was.time.nullable(),
  is_active: was.bool.nullable(),
})

export type SessionRow = z.output<typeof sessionRow>
