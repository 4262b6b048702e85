/** Whether somebody who is signed in knows the password. */
import type { AccountPorts } from './ports.ts'
import type { Account } from './users.ts'

/** False also of an account that is out of use, or whose hash is one that is never computed. Throws AppError `overloaded`. */
export async function isRightPassword(
  { hasher }: Pick<AccountPorts, 'hasher'>,
  { active, context }: Account,
  password: string,
): Promise<boolean> {
  const stored = active ? context.row?.password_hash : undefined
  if (stored === undefined) return false
  const verdict = await hasher.verify(stored, password)
  return verdict === 'right' || verdict === 'stale'
}
