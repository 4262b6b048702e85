/** Sessions: opened by a login, within the limit of the user, and ended one by one or all together. */
import { issueToken } from '../auth/token.ts'
import type { FactorMethod } from '../machines/factor/events.ts'
import type { Method } from '../machines/session/events.ts'
import type { SessionContext } from '../machines/session/machine.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { type Client, clientData } from './client.ts'
import type { AccountPorts } from './ports.ts'
import { type Account, readAccount, sessionLimitOf } from './users.ts'

export interface OpenedSession {
  readonly ok: true
  readonly pending?: never
  readonly sessionId: number
  readonly userId: number
  /** For the client alone; it is kept nowhere. */
  readonly token: string
  /** ISO 8601. */
  readonly expiresAt: string
}

/** A session of which everything was shown that has to be. */
export async function openSession(
  ports: AccountPorts,
  account: Account,
  methods: readonly Method[],
  client: Client,
): Promise<OpenedSession | AccountRefusal> {
  const { settings, clock } = ports
  const sessionId = await ports.nextId('session')
  const { token, hash } = issueToken('session', sessionId)
  const expiresAt = new Date(clock.now() + settings.absoluteMs).toISOString()
  const created = await ports.actor('session', sessionId).send({
    type: 'session.created',
    userId: account.id,
    tokenHash: hash,
    expiresAt,
    idleMs: settings.idleMs,
    methods: [...methods],
    ...clientData(client),
  })
  if (!created.ok) return refused('invalid_credentials')
  const room = await takeRoom(ports, account, sessionId, expiresAt)
  return room ?? { ok: true, sessionId, userId: account.id, token, expiresAt }
}

/** What a login leads to where a factor is still to be shown. */
export interface PendingSession {
  readonly ok: true
  readonly pending: true
  readonly sessionId: number
  readonly userId: number
  /** Opens nothing but the routes that take a factor, which give another one. */
  readonly token: string
  /** ISO 8601. */
  readonly expiresAt: string
  /** Factors the user has. */
  readonly factors: readonly FactorMethod[]
}

/** A session that waits for a factor; it takes no room among the open ones. */
export async function openPending(
  ports: AccountPorts,
  userId: number,
  factors: readonly FactorMethod[],
  client: Client,
): Promise<PendingSession | AccountRefusal> {
  const { settings, clock } = ports
  const sessionId = await ports.nextId('session')
  const { token, hash } = issueToken('session', sessionId)
  const expiresAt = new Date(clock.now() + settings.pendingMs).toISOString()
  const created = await ports.actor('session', sessionId).send({
    type: 'session.created',
    userId,
    tokenHash: hash,
    expiresAt,
    methods: ['password'],
    pending: true,
    ...clientData(client),
  })
  if (!created.ok) return refused('invalid_credentials')
  return { ok: true, pending: true, sessionId, userId, token, expiresAt, factors }
}

/** A session counts once the user has it among the open ones: two nodes cannot both take the last room. */
export async function takeRoom(
  ports: AccountPorts,
  account: Account,
  sessionId: number,
  expiresAt: string,
): Promise<AccountRefusal | undefined> {
  const { most: limit, policy } = sessionLimitOf(ports, account)
  const ended = account.context.sessions.length < limit ? [] : await endedOf(ports, account)
  const { authEpoch } = account.context
  const opened = { sessionId, expiresAt, limit, policy, ended: [...ended], authEpoch }
  const result = await account.handle.send({ type: 'user.login.recorded', opened })
  if (!result.ok) {
    await revokeSession(ports, sessionId, 'no room')
    const isOver = result.state !== 'active' || (await readAccount(ports, account.id)).context.authEpoch !== authEpoch
    return result.reason === 'not_allowed' && !isOver ? refused('session_limit') : refused('invalid_credentials')
  }
  const { context } = await readAccount(ports, account.id)
  const pushedOut = account.context.sessions.filter(({ id }) => !context.sessions.some(open => open.id === id))
  await Promise.all(pushedOut.map(({ id }) => revokeSession(ports, id, 'a newer session took its place')))
  return undefined
}

/** Sessions among the open ones that have ended by themselves meanwhile. */
async function endedOf(ports: AccountPorts, { context }: Account): Promise<readonly number[]> {
  const views = await Promise.all(context.sessions.map(({ id }) => ports.actor('session', id).state()))
  return views.filter(({ state }) => state !== 'active').map(({ ref }) => ref.id)
}

/** What is over already stays as it ended. */
export async function revokeSession(ports: AccountPorts, sessionId: number, reason: string): Promise<void> {
  await ports.actor('session', sessionId).send({ type: 'session.revoked', reason })
}

/** At once for all of them, or all but one: whatever the sessions themselves say, the user has none open any more. */
export async function endSessions(
  ports: AccountPorts,
  userId: number,
  reason: string,
  keepSession?: number,
): Promise<number> {
  const { context, handle } = await readAccount(ports, userId)
  const keep = keepSession === undefined ? {} : { keepSession }
  await handle.send({ type: 'user.sessions.ended', reason, ...keep })
  const ending = context.sessions.filter(({ id }) => id !== keepSession)
  await Promise.all(ending.map(({ id }) => revokeSession(ports, id, reason)))
  return ending.length
}

export async function readSession(ports: AccountPorts, id: number, maxStaleMs = 0) {
  const { state, context } = await ports.actor('session', id).state(maxStaleMs === 0 ? undefined : { maxStaleMs })
  return { state, context: context as unknown as SessionContext }
}
