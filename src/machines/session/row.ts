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
  device_fingerprint: 'varchar',
  geo_location: 'varchar',
  is_remembered: 'boolean',
} as const

/** Columns that 24.2 does not have. */
export const ADDED = ['device_fingerprint', 'geo_location', 'is_remembered']

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

/** What 24.3 adds: a row of 24.2 has none of it. */
export interface SessionRow extends z.output<typeof sessionRow> {
  readonly device_fingerprint: string | null
  readonly geo_location: string | null
  readonly is_remembered: boolean
}
