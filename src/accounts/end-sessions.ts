/** Ending sessions: one, or those of a user together. */
import { byUser } from './acting-user.ts'
import type { AccountPorts } from './ports.ts'
import { readAccount } from './users.ts'

/** Why a session was revoked that a newer one pushed out. */
export const PUSHED_OUT = 'a newer session took its place'

/** What is over already stays as it ended. */
export async function revokeSession(
  ports: AccountPorts,
  sessionId: number,
  reason: string,
  by?: number,
): Promise<void> {
  await ports.actor('session', sessionId).send({ type: 'session.revoked', reason }, byUser(by))
}

/** At once for all of them, or all but one: whatever the sessions themselves say, the user has none open any more. */
export async function endSessions(
  ports: AccountPorts,
  userId: number,
  reason: string,
  keepSession?: number,
  by?: number,
): Promise<number> {
  const { context, handle } = await readAccount(ports, userId)
  const keep = keepSession === undefined ? {} : { keepSession }
  await handle.send({ type: 'user.sessions.ended', reason, ...keep }, byUser(by))
  const ending = context.sessions.filter(({ id }) => id !== keepSession)
  await Promise.all(ending.map(({ id }) => revokeSession(ports, id, reason, by)))
  return ending.length
}
