/** The row of `users`. */
import { z } from 'zod'
import { was } from '../fields.ts'

export const columns = {
  username: 'varchar',
  email: 'varchar',
  password_hash: 'varchar',
  display_name: 'varchar',
  avatar_url: 'varchar',
  is_verified: 'boolean',
  is_active: 'boolean',
  created_at: 'timestamp',
  updated_at: 'timestamp',
  last_login_at: 'timestamp',
} as const

export const userRow = z.strictObject({
  username: was.text,
  email: was.text,
  password_hash: was.text,
  display_name: was.text.nullable(),
  avatar_url: was.text.nullable(),
  is_verified: was.bool.nullable(),
  is_active: was.bool.nullable(),
  created_at: was.time.nullable(),
  updated_at: was.time.nullable(),
  last_login_at: was.time.nullable(),
})

export type UserRow = z.output<typeof userRow>
