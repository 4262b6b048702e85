/** What follows when a factor was shown: a pending session becomes a real one, an active one is fresh again, both under a new token. */
import { issueToken } from '../auth/token.ts'
import { ipAddress } from '../machines/fields.ts'
import type { Method } from '../machines/session/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { located } from './binding.ts'
import type { Client } from './client.ts'
import { elevate } from './elevation.ts'
import { revokeSession } from './end-sessions.ts'
import { type AccountPorts, NEW_ACTOR } from './ports.ts'
import { readSession } from './read-session.ts'
import { lifeOf, type OpenedSession, takeRoom } from './sessions.ts'
import { type Account, readAccount } from './users.ts'

/**
 * @param sessionId of a session whose token the caller has shown
 * @param client who showed the factor; a session that was challenged is bound to it
 * @param stands whether the user still has the factor: one that was taken away since has ended the sessions that were open then
 */
export async function factorShown(
  ports: AccountPorts,
  sessionId: number,
  method: Method,
  client: Client = {},
  stands: () => Promise<boolean> = async () => true,
): Promise<OpenedSession | AccountRefusal> {
  // What is sent below is decided on the log.
  const { state, context } = await readSession(ports, sessionId, ports.settings.maxStaleMs)
  const { row } = context
  if (row === null) return refused('invalid_session')
  if (state === 'active') return elevate(ports, sessionId, method, located(ports, client))
  const { token, hash } = issueToken('session', sessionId)
  const account = await accountOf(ports, row.user_id, context.authEpoch)
  if (account === undefined) return refused('invalid_session')
  const { times, told, endsAt } = lifeOf(ports, sessionId, context.wantsRemember)
  const authenticated = await ports.actor('session', sessionId).send({
    type: 'session.authenticated',
    tokenHash: hash,
    method,
    ...times,
  })
  if (!authenticated.ok) return refused('invalid_session')
  const room = await takeRoom(ports, account, sessionId, endsAt, context.authEpoch ?? account.context.authEpoch)
  // The log knew better than memory: what the session began with is no more.
  if (room?.reason === 'invalid_credentials') return refused('invalid_session')
  if (room !== undefined) return room
  if (await stands()) return { ok: true, sessionId, userId: account.id, token, ...told }
  await revokeSession(ports, sessionId, 'its factor was removed')
  return refused('invalid_session')
}

/** Undefined where it is not in use, or its password is another than when the session began: only the log says so. */
async function accountOf(ports: AccountPorts, userId: number, epoch: number | null): Promise<Account | undefined> {
  const stands = ({ active, context }: Account) => active && (epoch ?? context.authEpoch) === context.authEpoch
  const known = await readAccount(ports, userId, { maxStaleMs: ports.settings.maxStaleMs })
  if (stands(known)) return known
  const account = await readAccount(ports, userId)
  return stands(account) ? account : undefined
}

/** Records an attempt to show a factor, whatever came of it. */
export async function recordAttempt(ports: AccountPorts, { ipAddress: given, ...attempt }: Attempt): Promise<void> {
  // What is no address a column can hold, as one with a zone, is no reason to leave the attempt out.
  const parsed = ipAddress.safeParse(given)
  const from = parsed.success ? { ipAddress: parsed.data } : {}
  await ports
    .actor('mfa-attempt', await ports.nextId('mfa-attempt'))
    .send({ type: 'mfa.attempted', ...attempt, ...from }, NEW_ACTOR)
}

interface Attempt {
  readonly userId: number
  readonly method: Method
  readonly success: boolean
  readonly ipAddress?: string | undefined
}

/** Said alike for all methods, as they share the budget. */
export function tooManyCodes(retryAfterMs: number): AccountRefusal {
  const minutes = Math.max(1, Math.ceil(retryAfterMs / 60_000))
  return refused(
    'too_many_attempts',
    `Too many codes were wrong, of whichever factor. The next is taken in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}; an administrator can reset the factors.`,
    retryAfterMs,
  )
}
