/** The row of `stream_sessions`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  stream_id: 'integer',
  session_start: 'timestamp',
  session_end: 'timestamp',
  total_viewers: 'integer',
  peak_viewers: 'integer',
  total_bytes_sent: 'bigint',
  duration_seconds: 'integer',
  is_recorded: 'boolean',
  recording_path: 'varchar',
} as const

export const broadcastRow = z.strictObject({
  stream_id: was.int,
  session_start: was.time,
  session_end: was.time.nullable(),
  total_viewers: was.int.nullable(),
  peak_viewers: was.int.nullable(),
  total_bytes_sent: was.int.nullable(),
  duration_seconds: was.int.nullable(),
  is_recorded: was.bool.nullable(),
  recording_path: was.text.nullable(),
})

export type BroadcastRow = z.output<typeof broadcastRow>
