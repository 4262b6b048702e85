/** An open session goes on under new tokens, for something was shown: whoever copied the old ones has nothing. */
import { issueRemember, issueToken } from '../auth/token.ts'
import type { Method } from '../machines/session/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { type Client, clientData } from './client.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import type { OpenedSession } from './sessions.ts'

/** @param client which a session that was challenged is bound to from now on */
export async function elevate(
  ports: AccountPorts,
  sessionId: number,
  method: Method,
  client: Client = {},
): Promise<OpenedSession | AccountRefusal> {
  const { context } = await readSession(ports, sessionId)
  const { row, remember, tokenExpiresAt } = context
  if (row === null) return refused('invalid_session')
  const { token, hash } = issueToken('session', sessionId)
  const next = remember === null ? undefined : issueRemember(sessionId)
  const elevated = await ports.actor('session', sessionId).send({
    ...{ type: 'session.elevated', tokenHash: hash, method },
    ...(next === undefined ? {} : { remember: { familyHash: next.familyHash, tokenHash: next.hash } }),
    ...clientData(client),
  })
  if (!elevated.ok) return refused('invalid_session')
  const opened = {
    ok: true,
    sessionId,
    userId: row.user_id,
    token,
    expiresAt: tokenExpiresAt ?? row.expires_at,
  } as const
  return next === undefined ? opened : { ...opened, rememberToken: next.token, rememberedUntil: row.expires_at }
}
