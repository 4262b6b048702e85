/** What asks for a fresh proof of who is there, and giving one by the password where there is no other factor. */
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { factorShown } from './factor-shown.ts'
import { demandedOf } from './factors.ts'
import { isFresh } from './fresh.ts'
import type { AccountPorts } from './ports.ts'
import { refusePassword } from './right-password.ts'
import type { OpenedSession } from './sessions.ts'
import { standingOf } from './standing.ts'
import { readAccount } from './users.ts'
import type { ValidSession } from './validation.ts'

/**
 * Refuses unless a second factor was shown within `withinMs`, or the password where the user has no factor; the refusal
 * says what can be shown. Throws AppError `log_unavailable`.
 */
export async function requireFresh(
  ports: AccountPorts,
  { userId, factorAt, authenticatedAt }: Pick<ValidSession, 'userId' | 'factorAt' | 'authenticatedAt'>,
  withinMs: number = ports.settings.stepUpMs,
): Promise<AccountRefusal | undefined> {
  if (isFresh(ports, factorAt, withinMs)) return undefined
  const factors = await methodsOf(ports, userId)
  if (factors.length === 0 && isFresh(ports, authenticatedAt, withinMs)) return undefined
  return { ...refused('factor_required'), factors: factors.length === 0 ? ['password'] : factors }
}

/** Shows the password again, for a user without another factor. Throws AppError `log_unavailable`. */
export async function reauthenticate(
  ports: AccountPorts,
  token: string,
  password: string,
  client: Client = {},
): Promise<OpenedSession | AccountRefusal> {
  const standing = await standingOf(ports, token)
  if (standing?.state !== 'active') return refused('invalid_session')
  const { userId, sessionId } = standing
  const factors = await methodsOf(ports, userId)
  if (factors.length > 0) return { ...refused('factor_required'), factors }
  const refusal = await refusePassword(ports, await readAccount(ports, userId), password)
  return refusal ?? factorShown(ports, sessionId, 'password', client)
}

async function methodsOf(ports: AccountPorts, userId: number) {
  return (await demandedOf(ports, userId)).map(({ method }) => method)
}
