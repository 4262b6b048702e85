/** Whether a token opens anything: asked with each request, so answered from memory wherever that is certain. */
import { parseToken, sameHash } from '../auth/token.ts'
import type { Method } from '../machines/session/events.ts'
import type { SessionContext } from '../machines/session/machine.ts'
import type { Role } from '../machines/user/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './sessions.ts'
import { readAccount } from './users.ts'

export interface ValidSession {
  readonly ok: true
  readonly sessionId: number
  readonly userId: number
  readonly username: string
  readonly roles: readonly Role[]
  readonly methods: readonly Method[]
  /** When a second factor was last shown, ISO 8601. */
  readonly factorAt: string | null
  readonly expiresAt: string
}

/** Throws AppError `log_unavailable` where neither memory nor the log can tell within the bound. */
export async function validate(
  ports: AccountPorts,
  token: string,
  _client: Client,
): Promise<ValidSession | AccountRefusal> {
  const { clock, settings } = ports
  const shown = parseToken('session', token)
  if (shown === undefined) return refused('invalid_session')
  const { state, context } = await readSession(ports, shown.id, settings.maxStaleMs)
  const now = clock.now()
  const { row } = context
  if (row === null || state !== 'active' || !opens(context, shown.hash, now)) return refused('invalid_session')
  const account = await readAccount(ports, row.user_id, { maxStaleMs: settings.maxStaleMs })
  if (!account.active || !account.context.sessions.some(({ id }) => id === shown.id)) return refused('invalid_session')
  if (context.challenged) return refused('factor_required')
  ports.seen(shown.id, now)
  const { methods, factorAt } = context
  return {
    ok: true,
    sessionId: shown.id,
    userId: account.id,
    username: account.context.row?.username ?? '',
    roles: account.context.roles,
    methods,
    factorAt,
    expiresAt: row.expires_at,
  }
}

/** Whether this is a session's token, and neither is over. */
export function opens({ row, tokenExpiresAt, previousToken }: SessionContext, hash: string, now: number): boolean {
  if (row === null || Date.parse(row.expires_at) <= now) return false
  if (tokenExpiresAt !== null && Date.parse(tokenExpiresAt) <= now) return false
  if (sameHash(row.session_token, hash)) return true
  return previousToken !== null && Date.parse(previousToken.until) > now && sameHash(previousToken.hash, hash)
}
