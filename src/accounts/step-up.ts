/** What asks for a fresh proof of who is there, and giving one by the password where there is no other factor. */
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { factorShown } from './factor-shown.ts'
import { factorsOf } from './factors.ts'
import type { AccountPorts } from './ports.ts'
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
  const now = ports.clock.now()
  if (isWithin(factorAt, now, withinMs)) return undefined
  const factors = await enabledFactors(ports, userId)
  if (factors.length === 0 && isWithin(authenticatedAt, now, withinMs)) return undefined
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
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return refused('too_many_attempts', undefined, budget.retryAfterMs)
  const factors = await enabledFactors(ports, userId)
  if (factors.length > 0) return { ...refused('factor_required'), factors }
  const account = await readAccount(ports, userId)
  const stored = account.context.row?.password_hash
  const verdict = stored === undefined ? 'wrong' : await ports.hasher.verify(stored, password)
  if (verdict === 'wrong') return refused('invalid_credentials')
  await ports.attempts.clear('factor', String(userId))
  return factorShown(ports, sessionId, 'password', client)
}

async function enabledFactors(ports: AccountPorts, userId: number) {
  const enabled = (await factorsOf(ports, userId)).filter(factor => factor.enabled).map(({ method }) => method)
  // Backup codes alone are no factor: they stand in for one.
  return enabled.some(method => method !== 'backup_codes') ? enabled : []
}

/** A time that lies ahead is of a clock that was set back: it proves nothing. */
function isWithin(at: string | null, now: number, withinMs: number): boolean {
  const age = at === null ? Number.POSITIVE_INFINITY : now - Date.parse(at)
  return age >= 0 && age <= withinMs
}
