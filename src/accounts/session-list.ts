/** The sessions a user has open, as the user is shown them. */
import { chunksOf } from '../core/chunks.ts'
import type { Method } from '../machines/session/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { revokeSession } from './end-sessions.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import { isIdle, lastUseOf } from './standing.ts'
import { readAccount } from './users.ts'

export interface ListedSession {
  readonly id: number
  /** The one that asks. */
  readonly current: boolean
  /** ISO 8601. */
  readonly createdAt: string | null
  readonly lastSeenAt: string
  readonly expiresAt: string
  readonly deviceId: string | null
  readonly userAgent: string | null
  readonly ipAddress: string | null
  readonly place: string | null
  readonly methods: readonly Method[]
  readonly remembered: boolean
  /** It shows up elsewhere than it was opened, and waits for a factor. */
  readonly challenged: boolean
}

/** Sessions that are read together. */
const TOGETHER = 50

/** The newest first; what has ended by itself is not among them. */
export async function listSessions(
  ports: AccountPorts,
  userId: number,
  current?: number,
): Promise<readonly ListedSession[]> {
  const { context } = await readAccount(ports, userId)
  const open = context.sessions.toReversed()
  const shown: ListedSession[] = []
  for (const some of chunksOf(open, TOGETHER))
    for (const session of await Promise.all(some.map(({ id }) => show(ports, id, current))))
      if (session !== undefined) shown.push(session)
  return shown
}

async function show(ports: AccountPorts, id: number, current: number | undefined): Promise<ListedSession | undefined> {
  const { state, context } = await readSession(ports, id, ports.settings.maxStaleMs)
  const { row, methods, challenged, remember } = context
  const now = ports.clock.now()
  if (state !== 'active' || row === null || Date.parse(row.expires_at) <= now) return undefined
  if (remember === null && isIdle(ports, id, context, now)) return undefined
  return {
    id,
    current: id === current,
    createdAt: row.created_at,
    lastSeenAt: new Date(lastUseOf(ports, id, context)).toISOString(),
    expiresAt: row.expires_at,
    deviceId: row.device_id,
    userAgent: row.user_agent,
    ipAddress: row.ip_address,
    place: row.geo_location,
    methods,
    remembered: remember !== null,
    challenged,
  }
}

/** Ends one of a user's own; whether another's exists is not told. */
export async function revokeOwn(
  ports: AccountPorts,
  userId: number,
  sessionId: number,
  reason: string,
  by?: number,
): Promise<AccountRefusal | undefined> {
  const { state, context } = await readSession(ports, sessionId)
  if (context.row?.user_id !== userId) return refused('unknown_session')
  if (state === 'active' || state === 'pending') await revokeSession(ports, sessionId, reason, by)
  return undefined
}
