/** Whether a token opens anything: asked with each request, so answered from memory wherever that is certain. */
import type { Method } from '../machines/session/events.ts'
import type { Role } from '../machines/user/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { followClient } from './binding.ts'
import type { Client } from './client.ts'
import type { AccountPorts } from './ports.ts'
import { type Standing, standingOf, used } from './standing.ts'

export interface ValidSession {
  readonly ok: true
  readonly sessionId: number
  readonly userId: number
  readonly username: string
  readonly roles: readonly Role[]
  readonly methods: readonly Method[]
  /** When the user last showed anything, and when a second factor, ISO 8601. */
  readonly authenticatedAt: string | null
  readonly factorAt: string | null
  readonly expiresAt: string
}

/**
 * @param client who shows the token; without it the binding is not looked at, which is for callers in this process
 * Throws AppError `log_unavailable` where neither memory nor the log can tell within the bound.
 */
export async function validate(
  ports: AccountPorts,
  token: string,
  client?: Client,
): Promise<ValidSession | AccountRefusal> {
  const standing = await standingOf(ports, token)
  if (standing === undefined || standing.state !== 'active') return refused('invalid_session')
  if (standing.session.challenged) return refused('factor_required')
  if (client !== undefined) {
    const refusal = followClient(ports, standing, client)
    if (refusal !== undefined) {
      const answer = await refusal
      if (answer !== undefined) return answer
    }
  }
  used(ports, standing)
  return validOf(standing)
}

function validOf({ sessionId, userId, session, user }: Standing): ValidSession {
  const { row, tokenExpiresAt, methods, authenticatedAt, factorAt } = session
  return {
    ok: true,
    sessionId,
    userId,
    username: user.row?.username ?? '',
    roles: user.roles,
    methods,
    authenticatedAt,
    factorAt,
    expiresAt: tokenExpiresAt ?? row?.expires_at ?? '',
  }
}
