/** The row of `trusted_devices`. */

export const columns = {
  id: 'bigint',
  user_id: 'integer',
  token_hash: 'text',
  label: 'text',
  device_fingerprint: 'text',
  created_at: 'timestamptz',
  last_used_at: 'timestamptz',
  expires_at: 'timestamptz',
} as const

export interface DeviceRow {
  readonly user_id: number
  readonly token_hash: string
  readonly label: string
  readonly device_fingerprint: string | null
  readonly created_at: string
  readonly last_used_at: string | null
  readonly expires_at: string
}
