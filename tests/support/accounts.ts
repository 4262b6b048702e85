/** Accounts for tests: users with a password, and sessions that have shown a second factor. */
import type { RuntimeNode } from '../../src/app.ts'
import { issueToken } from '../../src/auth/token.ts'
import type { Role } from '../../src/machines/user/events.ts'

export const PASSWORD = 'correct horse battery staple'

export interface TestSession {
  readonly userId: number
  readonly sessionId: number
  readonly token: string
}

/** A user with these roles, without a session. */
export async function registerUser(
  node: RuntimeNode,
  username: string,
  roles: readonly Role[] = ['viewer'],
): Promise<number> {
  const registered = await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD })
  if (!registered.ok) throw new Error(registered.detail)
  const changed = await node.accounts.administration.setRoles(registered.userId, roles)
  if (!changed.ok) throw new Error(changed.detail)
  return registered.userId
}

export async function signIn(node: RuntimeNode, login: string, password: string = PASSWORD): Promise<TestSession> {
  const session = await node.accounts.login({ login, password })
  if (!session.ok) throw new Error(session.detail)
  return session
}

/** The session under a new token, as after a code of an authenticator app. */
export async function showFactor(node: RuntimeNode, session: TestSession): Promise<TestSession> {
  const { token, hash } = issueToken('session', session.sessionId)
  const elevated = { type: 'session.elevated', tokenHash: hash, method: 'totp' }
  const result = await node.actor('session', session.sessionId).send(elevated)
  if (!result.ok) throw new Error(result.reason)
  return { ...session, token }
}

/** A new administrator with a fresh factor. */
export async function signInAdmin(node: RuntimeNode, username: string): Promise<TestSession> {
  await registerUser(node, username, ['admin'])
  return showFactor(node, await signIn(node, username))
}
