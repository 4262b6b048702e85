/** New passwords: chosen by the user, or set by an administrator. */
import type { UserContext } from '../machines/user/machine.ts'
import { byUser } from './acting-user.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { elevate } from './elevation.ts'
import { revokeSession } from './end-sessions.ts'
import { demandedOf } from './factors.ts'
import { isFresh } from './fresh.ts'
import { clearPasswordAttempts } from './login.ts'
import { passwordFault } from './password-rules.ts'
import { authorize } from './permissions.ts'
import type { AccountPorts } from './ports.ts'
import { refusePassword } from './right-password.ts'
import type { OpenedSession } from './sessions.ts'
import { type Account, readAccount } from './users.ts'
import type { ValidSession } from './validation.ts'

export interface PasswordChange {
  readonly current: string
  readonly next: string
}

/**
 * Ends all other sessions of the user; this one goes on under the token in the answer, and the old one is void.
 * @param session of which the caller has shown the token
 */
export async function changePassword(
  ports: AccountPorts,
  session: ValidSession,
  { current, next }: PasswordChange,
): Promise<OpenedSession | AccountRefusal> {
  const { userId, sessionId } = session
  const account = await readAccount(ports, userId)
  if (!account.active) return refused('invalid_session')
  const hasFactor = await hasSecondFactor(ports, userId)
  if (hasFactor && !isFresh(ports, session.factorAt)) return refused('factor_required')
  const refusal = await refusePassword(ports, account, current)
  if (refusal !== undefined) return refusal
  const changed = await writePassword(ports, account, next, { hasFactor, keepSession: sessionId })
  if (changed !== undefined) return changed
  return elevate(ports, sessionId, 'password')
}

/**
 * Ends all sessions of the user, and lets him try at once where he was locked out.
 * @param by the session of an administrator who has shown a factor lately; absent: whoever runs the node
 */
export async function setPassword(
  ports: AccountPorts,
  userId: number,
  next: string,
  by?: ValidSession,
): Promise<{ readonly ok: true } | AccountRefusal> {
  if (by !== undefined) {
    if (by.userId === userId)
      return refused('forbidden', 'Your own password is changed by showing the present one. Nothing was changed.')
    const { clock, settings } = ports
    const refusal = authorize(by, 'users.manage', { now: clock.now(), withinMs: settings.stepUpMs })
    if (refusal !== undefined) return refusal
  }
  const account = await readAccount(ports, userId)
  if (!account.active) return refused('unknown_user')
  const hasFactor = await hasSecondFactor(ports, userId)
  const changed = await writePassword(ports, account, next, {
    hasFactor,
    ...(by === undefined ? {} : { by: by.userId }),
  })
  if (changed !== undefined) return changed
  await clearPasswordAttempts(ports, account)
  return { ok: true }
}

/** Why this cannot be the password of this user. */
export function faultOf(
  { settings }: Pick<AccountPorts, 'settings'>,
  { row }: UserContext,
  password: string,
  hasFactor: boolean,
): AccountRefusal | undefined {
  const { issuer, passwordMinLength, passwordMinLengthWithFactor } = settings
  const { username = '', email = '', display_name: displayName } = row ?? {}
  const fault = passwordFault(password, {
    minLength: hasFactor ? passwordMinLengthWithFactor : passwordMinLength,
    context: [issuer, username, email, displayName ?? ''],
  })
  return fault === undefined ? undefined : refused('unusable_password', fault.detail)
}

interface Writing {
  readonly hasFactor: boolean
  readonly keepSession?: number
  readonly by?: number
}

async function writePassword(
  ports: AccountPorts,
  { context, handle }: Account,
  next: string,
  { hasFactor, keepSession, by }: Writing,
): Promise<AccountRefusal | undefined> {
  const fault = faultOf(ports, context, next, hasFactor)
  if (fault !== undefined) return fault
  const result = await handle.send(
    {
      type: 'user.password.changed',
      passwordHash: await ports.hasher.hash(next),
      // Of two changes at once the second was decided on a password that is none any more.
      authEpoch: context.authEpoch,
      ...(keepSession === undefined ? {} : { keepSession }),
    },
    byUser(by),
  )
  if (!result.ok) return refused('invalid_session')
  // They opened nothing since the event; the tables and nodes that are cut off hear of it by their own.
  const ended = context.sessions.filter(({ id }) => id !== keepSession)
  await Promise.all(ended.map(({ id }) => revokeSession(ports, id, 'the password was changed')))
  return undefined
}

async function hasSecondFactor(ports: AccountPorts, userId: number): Promise<boolean> {
  return (await demandedOf(ports, userId)).length > 0
}
