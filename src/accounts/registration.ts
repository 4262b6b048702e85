/** Opening an account. */
import { AppError } from '../core/errors.ts'
import type { Role } from '../machines/user/events.ts'
import { byUser } from './acting-user.ts'
import { type AccountRefusal, refused, tooManyAttempts } from './answers.ts'
import type { Client } from './client.ts'
import { skeletonsOf } from './lookalikes.ts'
import { networkOf } from './network.ts'
import { passwordFault } from './password-rules.ts'
import type { AccountPorts } from './ports.ts'
import { isPlainLine, parseUsername } from './username.ts'

export interface Registration {
  readonly username: string
  readonly email: string
  readonly password: string
  readonly displayName?: string
}

export interface RegistrationOptions {
  /** Default viewer. Whoever calls vouches for it. */
  readonly roles?: readonly Role[]
  /** The user on whose behalf, for the audit. */
  readonly userId?: number
  /** Counted, where strangers may register. */
  readonly client?: Client
}

export interface Registered {
  readonly ok: true
  readonly userId: number
  /** As it is kept: in compatibility form. */
  readonly username: string
}

/** Throws AppError `invalid_event` where the address has no form that is allowed, `overloaded`. */
export async function register(
  ports: AccountPorts,
  { username, email, password, displayName }: Registration,
  { roles, userId: actingUser, client }: RegistrationOptions = {},
): Promise<Registered | AccountRefusal> {
  const address = client?.ipAddress
  if (address !== undefined) {
    const attempt = await ports.attempts.take('registration', networkOf(address))
    if (!attempt.ok) return tooManyAttempts(attempt)
  }
  const parsed = parseUsername(username)
  if ('fault' in parsed) return refused('unusable_name', parsed.fault)
  if (displayName !== undefined && !isPlainLine(displayName))
    return refused('unusable_name', 'The display name has control characters or line breaks.')
  const { name } = parsed
  const { issuer, lookalikes, passwordMinLength: minLength } = ports.settings
  const fault = passwordFault(password, { minLength, context: [issuer, name, email, displayName ?? ''] })
  if (fault !== undefined) return refused('unusable_password', fault.detail)
  // Hashed before anybody looks whether the name is free: the time tells nothing of it.
  const passwordHash = await ports.hasher.hash(password)
  const by = byUser(actingUser)
  const userId = await ports.nextId('user')
  const handle = ports.actor('user', userId)
  const result = await handle.send(
    {
      type: 'user.registered',
      username: name,
      email,
      passwordHash,
      ...(lookalikes === 'refuse' ? { skeletons: [...skeletonsOf(name)] } : {}),
      ...(displayName === undefined ? {} : { displayName }),
    },
    by,
  )
  if (!result.ok) return refused('taken')
  if (roles !== undefined) {
    const given = await handle.send({ type: 'user.roles.changed', roles: [...roles] }, by)
    if (!given.ok)
      throw new AppError(
        'conflict',
        `User ${userId} was registered, and changed before the roles were given. Give them.`,
      )
  }
  return { ok: true, userId, username: name }
}
