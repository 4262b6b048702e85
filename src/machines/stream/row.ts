/** The row of `streams`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  user_id: 'integer',
  name: 'varchar',
  description: 'text',
  stream_key: 'varchar',
  stream_url: 'varchar',
  thumbnail_url: 'varchar',
  is_live: 'boolean',
  viewer_count: 'integer',
  bitrate_kbps: 'integer',
  resolution: 'varchar',
  fps: 'integer',
  codec: 'varchar',
  is_public: 'boolean',
  created_at: 'timestamp',
  updated_at: 'timestamp',
  started_at: 'timestamp',
  ended_at: 'timestamp',
} as const

export const streamRow = z.strictObject({
  user_id: was.int,
  name: was.text,
  description: was.text.nullable(),
  stream_key: was.text,
  stream_url: was.text.nullable(),
  thumbnail_url: was.text.nullable(),
  is_live: was.bool.nullable(),
  viewer_count: was.int.nullable(),
  bitrate_kbps: was.int.nullable(),
  resolution: was.text.nullable(),
  fps: was.int.nullable(),
  codec: was.text.nullable(),
  is_public: was.bool.nullable(),
  created_at: was.time.nullable(),
  updated_at: was.time.nullable(),
  started_at: was.time.nullable(),
  ended_at: was.time.nullable(),
})

export type StreamRow = z.output<typeof streamRow>
