/** The row of `mfa_attempts`. */

export const columns = {
  id: 'bigint',
  user_id: 'integer',
  method: 'varchar',
  success: 'boolean',
  ip_address: 'inet',
  attempted_at: 'timestamp',
} as const

export interface AttemptRow {
  readonly user_id: number
  readonly method: string
  readonly success: boolean
  readonly ip_address: string | null
  readonly attempted_at: string
}
