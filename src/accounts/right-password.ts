/** The password of somebody who is signed in, shown once more. */
import { type AccountRefusal, refused, tooManyAttempts } from './answers.ts'
import type { AccountPorts } from './ports.ts'
import type { Account } from './users.ts'

/**
 * Why it is not taken, or undefined where it is right. One budget for whatever it is shown for; right ones at once are not
 * refused for each other. Throws AppError `overloaded`, and counts nothing then.
 */
export async function refusePassword(
  { attempts, hasher }: Pick<AccountPorts, 'attempts' | 'hasher'>,
  { id, active, context }: Account,
  password: string,
): Promise<AccountRefusal | undefined> {
  const attempt = await attempts.begin('password', String(id))
  if (!attempt.ok) return tooManyAttempts(attempt)
  let outcome: 'right' | 'wrong' | 'undone' = 'undone'
  try {
    outcome = (await isRight(hasher, active ? context.row?.password_hash : undefined, password)) ? 'right' : 'wrong'
  } finally {
    await attempt.settle(outcome)
  }
  return outcome === 'right' ? undefined : refused('invalid_credentials')
}

/** An account that is out of use has no password, and a hash may be one that is never computed. */
async function isRight(hasher: AccountPorts['hasher'], stored: string | undefined, password: string): Promise<boolean> {
  if (stored === undefined) return false
  const verdict = await hasher.verify(stored, password)
  return verdict === 'right' || verdict === 'stale'
}
