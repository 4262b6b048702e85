/**
 * Tokens that change: a session token for a new one before it ends, a remember-me token for both where it has ended.
 *
 * The new token is made of the old one under a key of the node's, so two requests that show the same one, or one that is
 * sent again because its answer was lost, get the same new one. An old token that is shown later than that was copied:
 * its session is over.
 */
import { parseRemember, parseToken, rememberOf, sameHash, tokenOf } from '../auth/token.ts'
import type { Replaced } from '../machines/session/machine.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { followClient } from './binding.ts'
import type { Client } from './client.ts'
import { revokeSession } from './end-sessions.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import type { OpenedSession } from './sessions.ts'
import { isIdle, isOpen, type Standing } from './standing.ts'
import { readAccount } from './users.ts'

export interface ShownTokens {
  readonly token?: string | undefined
  readonly rememberToken?: string | undefined
}

/** By the session token while that opens anything, else by the remember-me token. Throws AppError `log_unavailable`. */
export async function refresh(
  ports: AccountPorts,
  { token, rememberToken }: ShownTokens,
  client?: Client,
): Promise<OpenedSession | AccountRefusal> {
  const answer = token === undefined ? undefined : await refreshToken(ports, token, client)
  if (answer !== undefined && (answer.ok || answer.reason !== 'invalid_session')) return answer
  return rememberToken === undefined ? refused('invalid_session') : resume(ports, rememberToken, client)
}

/** A refresh that others overtake so often shows a token that is no longer the newest. */
const TRIES = 5

type Verdict = 'newest' | 'replaced' | 'copied' | 'unknown'

async function refreshToken(
  ports: AccountPorts,
  token: string,
  client: Client | undefined,
): Promise<OpenedSession | AccountRefusal> {
  const shown = parseToken('session', token)
  if (shown === undefined) return refused('invalid_session')
  for (let tries = 0; tries < TRIES; tries++) {
    const standing = await newestStanding(ports, shown.id, shown.hash)
    if (standing === undefined) return refused('invalid_session')
    const { session } = standing
    const { row, previousToken, tokenExpiresAt } = session
    const now = ports.clock.now()
    const verdict = verdictOn(row?.session_token, previousToken, shown.hash, now)
    if (verdict === 'copied') await revokeSession(ports, shown.id, 'a token that was replaced was used again')
    if (row === null || verdict === 'copied' || verdict === 'unknown') return refused('invalid_session')
    if (tokenExpiresAt !== null && Date.parse(tokenExpiresAt) <= now) return refused('invalid_session')
    if (isIdle(ports, shown.id, session, now)) return refused('invalid_session')
    const stopped = await stoppedBy(ports, standing, client)
    if (stopped !== undefined) return stopped
    const next = tokenOf('session', shown.id, ports.keys.fingerprint(token, `session/${shown.id}/refresh`))
    const expiresAt = tokenExpiresAt ?? row.expires_at
    const opened = { ok: true, sessionId: shown.id, userId: standing.userId, token: next.token, expiresAt } as const
    if (verdict === 'replaced') return sameHash(row.session_token, next.hash) ? opened : refused('invalid_session')
    const refreshed = await ports.actor('session', shown.id).send({
      type: 'session.refreshed',
      expiresAt: row.expires_at,
      tokenHash: next.hash,
      replacesHash: shown.hash,
    })
    if (refreshed.ok) return opened
    // Another request was faster with the same token: it is looked at anew, as one that was replaced.
  }
  return refused('invalid_session')
}

async function resume(
  ports: AccountPorts,
  rememberToken: string,
  client: Client | undefined,
): Promise<OpenedSession | AccountRefusal> {
  const shown = parseRemember(rememberToken)
  if (shown === undefined) return refused('invalid_session')
  for (let tries = 0; tries < TRIES; tries++) {
    const standing = await newestStanding(ports, shown.id, shown.hash)
    const remember = standing?.session.remember ?? null
    const row = standing?.session.row ?? null
    // Without the secret that all tokens of the session share it is a guess, and changes nothing.
    if (standing === undefined || row === null || remember === null || !sameHash(remember.familyHash, shown.familyHash))
      return refused('invalid_session')
    const now = ports.clock.now()
    const verdict = verdictOn(remember.tokenHash, remember.previousToken, shown.hash, now)
    if (verdict === 'copied' || verdict === 'unknown') {
      await revokeSession(ports, shown.id, 'a remember-me token was used again')
      return refused('invalid_session')
    }
    const stopped = await stoppedBy(ports, standing, client)
    if (stopped !== undefined) return stopped
    const secretFor = (use: string) => ports.keys.fingerprint(rememberToken, `session/${shown.id}/${use}`)
    const next = rememberOf(shown.id, shown.family, secretFor('remember'))
    const session = tokenOf('session', shown.id, secretFor('resume'))
    const tokenExpiresAt =
      verdict === 'newest'
        ? new Date(Math.min(now + ports.settings.absoluteMs, Date.parse(row.expires_at))).toISOString()
        : (standing.session.tokenExpiresAt ?? row.expires_at)
    const opened: OpenedSession = {
      ...{
        ok: true as const,
        sessionId: shown.id,
        userId: standing.userId,
        token: session.token,
        expiresAt: tokenExpiresAt,
      },
      ...{ rememberToken: next.token, rememberedUntil: row.expires_at },
    }
    if (verdict === 'replaced') return sameHash(remember.tokenHash, next.hash) ? opened : refused('invalid_session')
    const refreshed = await ports.actor('session', shown.id).send({
      type: 'session.refreshed',
      expiresAt: row.expires_at,
      tokenExpiresAt,
      tokenHash: session.hash,
      rememberHash: next.hash,
      replacesHash: shown.hash,
    })
    if (refreshed.ok) return opened
  }
  return refused('invalid_session')
}

/** As the log has it: what a token is exchanged for is decided on nothing older. */
async function newestStanding(ports: AccountPorts, sessionId: number, shown: string): Promise<Standing | undefined> {
  const { state, context } = await readSession(ports, sessionId)
  const { row } = context
  if (state !== 'active' || row === null || Date.parse(row.expires_at) <= ports.clock.now()) return undefined
  const account = await readAccount(ports, row.user_id)
  if (!account.active || !isOpen(account.context, sessionId)) return undefined
  return { sessionId, state, session: context, userId: account.id, user: account.context, shown }
}

function verdictOn(newest: string | undefined, previous: Replaced | null, shown: string, now: number): Verdict {
  if (newest !== undefined && sameHash(newest, shown)) return 'newest'
  if (previous === null || !sameHash(previous.tokenHash, shown)) return 'unknown'
  return Date.parse(previous.until) > now ? 'replaced' : 'copied'
}

async function stoppedBy(
  ports: AccountPorts,
  standing: Standing,
  client: Client | undefined,
): Promise<AccountRefusal | undefined> {
  if (standing.session.challenged) return refused('factor_required')
  return client === undefined ? undefined : followClient(ports, standing, client)
}
