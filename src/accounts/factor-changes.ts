/** Factors seen, removed and reset, and who may change them: whoever showed one a moment ago. */
import { AppError } from '../core/errors.ts'
import type { FactorMethod } from '../machines/factor/events.ts'
import { byUser } from './acting-user.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { endSessions } from './end-sessions.ts'
import { demanded, demandedOf, type Factor, factorsOf, hasStronger } from './factors.ts'
import { isFresh } from './fresh.ts'
import { changingFactors, inFactorTurn } from './in-turn.ts'
import type { AccountPorts } from './ports.ts'
import { refusePassword } from './right-password.ts'
import type { ShownSession } from './shown-session.ts'
import { readAccount } from './users.ts'

export interface ShownFactor {
  readonly method: FactorMethod
  /** Asked for at a login: enrolled, and confirmed where that is needed. */
  readonly enabled: boolean
  /** ISO 8601. */
  readonly createdAt: string
  readonly lastUsedAt: string | null
  /** Of backup codes. */
  readonly codesLeft?: number
}

export async function listFactors(ports: AccountPorts, userId: number): Promise<readonly ShownFactor[]> {
  return (await factorsOf(ports, userId)).flatMap(({ method, enabled, context: { row } }) => {
    if (row === null) return []
    const codes = row.backup_codes === null ? {} : { codesLeft: row.backup_codes.length }
    return [{ method, enabled, createdAt: row.created_at, lastUsedAt: row.last_used_at, ...codes }]
  })
}

/**
 * Undefined where the session may change factors: one was shown within `stepUpMs` or, of a user who has none, the password.
 * @param password taken instead where the user has no factor
 */
export async function mayChangeFactors(
  ports: AccountPorts,
  { incomplete, context, userId }: ShownSession,
  password?: string,
): Promise<AccountRefusal | undefined> {
  if (incomplete) return refused('factor_required')
  const factors = (await demandedOf(ports, userId)).map(({ method }) => method)
  const shownAt = factors.length === 0 ? context.authenticatedAt : context.factorAt
  if (isFresh(ports, shownAt)) return undefined
  if (factors.length > 0)
    return refused('factor_required', `Show a factor first, as it was long ago: ${factors.join(', ')}.`)
  if (password === undefined) return refused('factor_required', 'Give the password again, as it was long ago.')
  return refusePassword(ports, await readAccount(ports, userId), password)
}

export type RemovalAnswer = { readonly ok: true; readonly removed: boolean } | AccountRefusal

/** Takes a factor away. The other sessions of the user end; backup codes go with the last factor they stand in for. */
export async function removeFactor(
  ports: AccountPorts,
  session: ShownSession,
  method: FactorMethod,
): Promise<RemovalAnswer> {
  return changingFactors(
    ports,
    session,
    async () => (await mayChangeFactors(ports, session)) ?? removeInTurn(ports, session, method),
  )
}

/** For whoever may change factors, while nobody else changes those of the user. */
export async function removeInTurn(
  ports: AccountPorts,
  { userId, sessionId }: ShownSession,
  method: FactorMethod,
): Promise<RemovalAnswer> {
  const factors = await factorsOf(ports, userId)
  const left = factors.filter(factor => factor.method !== method)
  const asked = factors.filter(factor => factor.method === method)
  const leavesSms = hasStronger(asked) && !hasStronger(left) && left.some(factor => factor.method === 'sms')
  if (leavesSms && !ports.settings.smsAlone)
    return refused('not_offered', 'Text messages are too weak to be what is left. Remove them first.')
  const orphaned = demanded(left).length === 0 ? left.filter(factor => factor.method === 'backup_codes') : []
  const removed = [...asked, ...orphaned]
  const remove = () => removeAll(removed, 'asked', userId)
  if (removed.some(({ enabled }) => enabled))
    await endingOthers(ports, userId, 'a factor was removed', sessionId, remove)
  else await remove()
  return { ok: true, removed: asked.length > 0 }
}

export type ResetAnswer = { readonly ok: true; readonly removed: number } | AccountRefusal

/** By an administrator who showed a factor a moment ago. Throws AppError `not_found`. */
export async function resetFactorsOf(
  ports: AccountPorts,
  { incomplete, context, userId: by }: ShownSession,
  userId: number,
): Promise<ResetAnswer> {
  if (incomplete) return refused('factor_required')
  if (!(await readAccount(ports, by)).context.roles.includes('admin')) return refused('forbidden')
  if (!isFresh(ports, context.factorAt)) return refused('factor_required')
  if ((await readAccount(ports, userId)).context.row === null)
    throw new AppError('not_found', `There is no user ${userId}.`)
  return { ok: true, removed: await resetFactors(ports, userId, { by }) }
}

/**
 * Takes all factors of a user away and ends all sessions: for an administrator who knows who asks.
 * @param by the administrator, where one was signed in
 */
export async function resetFactors(
  ports: AccountPorts,
  userId: number,
  { by, reason = 'reset by an administrator' }: { readonly by?: number; readonly reason?: string } = {},
): Promise<number> {
  // First, so that nobody enrols another between; and again, for who signed in with one of these meanwhile.
  await endSessions(ports, userId, reason)
  const factors = await inFactorTurn(ports, userId, async () => {
    const found = await factorsOf(ports, userId)
    await removeAll(found, reason, by)
    return found
  })
  await endSessions(ports, userId, reason)
  await ports.attempts.clear('factor', String(userId))
  return factors.length
}

/**
 * Whoever is still signed in elsewhere may be the reason for the change (OWASP ASVS 5.0, 7.4.3). They are out before it,
 * so that one that is broken off leaves nobody in, and after it, for who signed in meanwhile.
 */
export async function endingOthers<Result>(
  ports: AccountPorts,
  userId: number,
  reason: string,
  keep: number,
  change: () => Promise<Result>,
): Promise<Result> {
  await endSessions(ports, userId, reason, keep)
  const result = await change()
  await endSessions(ports, userId, reason, keep)
  return result
}

async function removeAll(factors: readonly Factor[], reason: string, by: number | undefined): Promise<void> {
  await Promise.all(factors.map(({ handle }) => handle.send({ type: 'factor.removed', reason }, byUser(by))))
}
