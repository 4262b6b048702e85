/** The session of a token that may be short of a factor: what the routes that take factors work on. */
import { parseToken } from '../auth/token.ts'
import type { SessionContext } from '../machines/session/machine.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import { opens } from './standing.ts'
import { readAccount } from './users.ts'
import { validate } from './validation.ts'

export interface ShownSession {
  readonly ok: true
  readonly sessionId: number
  readonly userId: number
  /** After the password of a login: it is no session of the user yet. */
  readonly pending: boolean
  /** A factor is to be shown before anything else: after the password of a login, or where the session was challenged. */
  readonly incomplete: boolean
  readonly context: SessionContext
}

/**
 * As the log has it now: whoever shows a factor is given a new token.
 * @param maxStaleMs where what follows is decided on the log, memory will do; it refuses nobody by itself
 */
export async function shownSession(
  ports: AccountPorts,
  token: string,
  client: Client,
  maxStaleMs = 0,
): Promise<ShownSession | AccountRefusal> {
  const session = await asRead(ports, token, client, maxStaleMs)
  return session.ok || maxStaleMs === 0 ? session : asRead(ports, token, client, 0)
}

async function asRead(
  ports: AccountPorts,
  token: string,
  client: Client,
  maxStaleMs: number,
): Promise<ShownSession | AccountRefusal> {
  const shown = parseToken('session', token)
  if (shown === undefined) return refused('invalid_session')
  const { state, context } = await readSession(ports, shown.id, maxStaleMs)
  const { row } = context
  if (row === null || !opens(context, shown.hash, ports.clock.now())) return refused('invalid_session')
  const pending = state === 'pending'
  const incomplete = pending || context.challenged
  const session = { ok: true, sessionId: shown.id, userId: row.user_id, pending, incomplete, context } as const
  if (pending) {
    const { active } = await readAccount(ports, row.user_id, { maxStaleMs })
    return active ? session : refused('invalid_session')
  }
  const valid = await validate(ports, token, client)
  // One that was challenged is here to answer.
  return valid.ok || valid.reason === 'factor_required' ? session : valid
}

/** What is done for whoever holds the token. */
export async function withShownSession<Answer>(
  ports: AccountPorts,
  token: string,
  client: Client,
  work: (session: ShownSession) => Promise<Answer>,
  maxStaleMs = 0,
): Promise<Answer | AccountRefusal> {
  const session = await shownSession(ports, token, client, maxStaleMs)
  return session.ok ? work(session) : session
}
