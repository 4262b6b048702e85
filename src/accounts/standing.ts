/** Which session a token belongs to, and whether that stands: its own state, its user's, its times. */
import type { ActorHandle, KnownState } from '../actors/api.ts'
import { parseToken, sameHash } from '../auth/token.ts'
import type { SessionContext } from '../machines/session/machine.ts'
import type { UserContext } from '../machines/user/machine.ts'
import type { AccountPorts } from './ports.ts'

/** What is in use is told so often, ms. */
const TELL_MS = 10_000

export interface Standing {
  readonly sessionId: number
  /** `pending`: a factor is still to be shown, and the token opens nothing else. */
  readonly state: 'active' | 'pending'
  readonly session: SessionContext
  readonly userId: number
  readonly user: UserContext
  /** Hash of the token that was shown, which may be one that was replaced a moment ago. */
  readonly shown: string
}

/**
 * Undefined where the token opens nothing. A challenged session stands, and so does a pending one; what they may be used
 * for is for the caller to say. Throws AppError `log_unavailable` where neither memory nor the log can tell.
 */
export async function standingOf(ports: AccountPorts, token: string): Promise<Standing | undefined> {
  const shown = parseToken('session', token)
  if (shown === undefined) return undefined
  const handle = ports.actor('session', shown.id)
  const session = recall(ports, handle) ?? (await handle.state({ maxStaleMs: ports.settings.maxStaleMs }))
  const context = session.context as unknown as SessionContext
  const { row } = context
  const { state } = session
  if (row === null || (state !== 'active' && state !== 'pending')) return undefined
  const now = ports.clock.now()
  if (!opens(context, shown.hash, now)) return undefined
  const user = ports.actor('user', row.user_id)
  const account = recall(ports, user) ?? (await user.state({ maxStaleMs: ports.settings.maxStaleMs }))
  const owner = account.context as unknown as UserContext
  if (account.state !== 'active') return undefined
  // Whatever a session says of itself, only those its user has among the open ones are valid.
  if (state === 'active' && !isOpen(owner, shown.id)) return undefined
  if (state === 'active' && isIdle(ports, shown.id, context, now)) return undefined
  return { sessionId: shown.id, state, session: context, userId: row.user_id, user: owner, shown: shown.hash }
}

export function isOpen({ sessions }: UserContext, sessionId: number): boolean {
  for (const { id } of sessions) if (id === sessionId) return true
  return false
}

/** Whether nobody has used it for as long as it may rest; by what all nodes have told, or else by the log. */
export function isIdle(ports: AccountPorts, sessionId: number, session: SessionContext, now: number): boolean {
  const { idleMs } = session
  if (idleMs === null || now - inLog(session) <= idleMs) return false
  const seen = ports.activity.lastSeen(sessionId)
  return seen === undefined || now - seen > idleMs
}

export function lastUseOf(ports: AccountPorts, sessionId: number, session: SessionContext): number {
  return Math.max(inLog(session), ports.activity.lastSeen(sessionId) ?? 0)
}

/** Notes that it is in use. */
export function used(ports: AccountPorts, { sessionId, session }: Standing): void {
  const { idleMs } = session
  ports.activity.note(sessionId, inLog(session), Math.min(TELL_MS, (idleMs ?? TELL_MS * 4) / 4))
}

function inLog({ row }: SessionContext): number {
  return Date.parse(row?.last_activity ?? row?.created_at ?? '') || 0
}

/** From memory while that is certain; in the second half of that time it is compared with the log ahead of need. */
function recall({ settings, activity }: AccountPorts, handle: ActorHandle): KnownState | undefined {
  const { maxStaleMs } = settings
  const known = handle.known(maxStaleMs)
  if (known !== undefined && handle.known(maxStaleMs / 2) === undefined)
    activity.refresh(`${handle.ref.type}/${handle.ref.id}`, () => handle.state({ maxStaleMs: maxStaleMs / 2 }))
  return known
}

/** Whether this is a session's token, and neither is over. */
export function opens({ row, tokenExpiresAt, previousToken }: SessionContext, hash: string, now: number): boolean {
  if (row === null || Date.parse(row.expires_at) <= now) return false
  if (tokenExpiresAt !== null && Date.parse(tokenExpiresAt) <= now) return false
  if (sameHash(row.session_token, hash)) return true
  return previousToken !== null && Date.parse(previousToken.until) > now && sameHash(previousToken.tokenHash, hash)
}
