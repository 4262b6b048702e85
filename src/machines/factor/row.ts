/** The row of `user_mfa`. */

export const columns = {
  user_id: 'integer',
  method: 'varchar',
  secret: 'varchar',
  is_enabled: 'boolean',
  backup_codes: 'jsonb',
  created_at: 'timestamp',
  last_used_at: 'timestamp',
} as const

export interface FactorRow {
  readonly user_id: number
  readonly method: string
  /** Sealed; empty for methods without one. */
  readonly secret: string
  readonly is_enabled: boolean
  /** Hashes; null but for the method `backup_codes`. */
  readonly backup_codes: readonly string[] | null
  readonly created_at: string
  readonly last_used_at: string | null
}
