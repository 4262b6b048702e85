/** The row of `usage_logs`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  id: 'bigint',
  user_id: 'integer',
  stream_id: 'integer',
  event_type: 'varchar',
  bytes_transferred: 'bigint',
  duration_seconds: 'integer',
  created_at: 'timestamp',
} as const

export const usageRow = z.strictObject({
  user_id: was.int,
  stream_id: was.int.nullable(),
  event_type: was.text,
  bytes_transferred: was.int.nullable(),
  duration_seconds: was.int.nullable(),
  created_at: was.time.nullable(),
})

export type UsageRow = z.output<typeof usageRow>
