/** The row of `recordings`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  stream_id: 'integer',
  session_id: 'integer',
  file_path: 'varchar',
  file_size_bytes: 'bigint',
  duration_seconds: 'integer',
  codec: 'varchar',
  resolution: 'varchar',
  fps: 'integer',
  bitrate_kbps: 'integer',
  is_processed: 'boolean',
  is_available: 'boolean',
  created_at: 'timestamp',
  expires_at: 'timestamp',
} as const

export const recordingRow = z.strictObject({
  stream_id: was.int,
  session_id: was.int,
  file_path: was.text,
  file_size_bytes: was.int.nullable(),
  duration_seconds: was.int.nullable(),
  codec: was.text.nullable(),
  resolution: was.text.nullable(),
  fps: was.int.nullable(),
  bitrate_kbps: was.int.nullable(),
  is_processed: was.bool.nullable(),
  is_available: was.bool.nullable(),
  created_at: was.time.nullable(),
  expires_at: was.time.nullable(),
})

export type RecordingRow = z.output<typeof recordingRow>
