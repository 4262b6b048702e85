/** Opening an account. */
import { type AccountRefusal, refused } from './answers.ts'
import type { AccountPorts } from './ports.ts'

export interface Registration {
  readonly username: string
  readonly email: string
  readonly password: string
  readonly displayName?: string
}

export interface Registered {
  readonly ok: true
  readonly userId: number
}

/** Throws AppError `invalid_event` where the name or the address has no form that is allowed. */
export async function register(
  ports: AccountPorts,
  { username, email, password, displayName }: Registration,
): Promise<Registered | AccountRefusal> {
  if ([...password].length < ports.settings.passwordMinLength) return refused('unusable_password')
  const userId = await ports.nextId('user')
  const result = await ports.actor('user', userId).send({
    type: 'user.registered',
    username,
    email,
    passwordHash: await ports.hasher.hash(password),
    ...(displayName === undefined ? {} : { displayName }),
  })
  return result.ok ? { ok: true, userId } : refused('taken')
}
