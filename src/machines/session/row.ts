/** The row of `sessions`. */
import { z } from 'zod'
import { was } from '../fields.ts'
import type { clientFields } from './events.ts'

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

/** All of the binding is the new client's: what it does not say is not asked of it later. */
export function boundTo(client: z.output<z.ZodObject<typeof clientFields>>): Partial<SessionRow> {
  return {
    device_id: client.deviceId ?? null,
    device_fingerprint: client.deviceFingerprint ?? null,
    user_agent: client.userAgent ?? null,
    ip_address: client.ipAddress ?? null,
    geo_location: client.geoLocation ?? null,
  }
}

/** Never earlier than it was, and never after the event that says so. */
export function latestOf(known: string | null, seenAt: string | undefined, at: string): string {
  if (seenAt === undefined) return at
  const seen = Math.min(Date.parse(seenAt), Date.parse(at))
  return known !== null && Date.parse(known) > seen ? known : new Date(seen).toISOString()
}

export function asRow(row: z.output<typeof sessionRow>): SessionRow {
  return { ...row, device_fingerprint: null, geo_location: null, is_remembered: false }
}

/** The column has no zone: it holds UTC. What is so already is kept, and with it the one text that others hold too. */
export function inUtc(time: string): string {
  const utc = new Date(time).toISOString()
  return utc === time ? time : utc
}
