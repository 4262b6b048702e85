/** Sessions that begin: opened by a login within the limit of the user, or pending until a factor is shown. */

import { issueRemember, issueToken } from '../auth/token.ts'
import { chunksOf } from '../core/chunks.ts'
import type { FactorMethod } from '../machines/factor/events.ts'
import type { Method } from '../machines/session/events.ts'
import { isLimitOf } from '../machines/user/open-sessions.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { located } from './binding.ts'
import { type Client, clientData } from './client.ts'
import { PUSHED_OUT, revokeSession } from './end-sessions.ts'
import { type AccountPorts, NEW_ACTOR } from './ports.ts'
import { readSession } from './read-session.ts'
import { isIdle, isOpen } from './standing.ts'
import { type Account, readAccount, sessionLimitOf } from './users.ts'

export interface OpenedSession {
  readonly ok: true
  readonly pending?: never
  readonly sessionId: number
  readonly userId: number
  /** For the client alone; it is kept nowhere. */
  readonly token: string
  /** When the token ends, ISO 8601. */
  readonly expiresAt: string
  /** Of a session that is to be remembered: goes on where the token has ended. For the client alone. */
  readonly rememberToken?: string
  /** When the remembered session ends for good, ISO 8601. */
  readonly rememberedUntil?: string
  /** Of a trusted device, in place of the one it showed. */
  readonly deviceToken?: string
  readonly deviceExpiresAt?: string
}

/**
 * A session of which everything was shown that has to be.
 * @param shownUnder the epoch of the account that what was shown was held against; null where nothing was
 */
export async function openSession(
  ports: AccountPorts,
  account: Account,
  methods: readonly Method[],
  client: Client,
  remember = false,
  shownUnder: number | null = account.context.authEpoch,
): Promise<OpenedSession | AccountRefusal> {
  const sessionId = await ports.nextId('session')
  const { token, hash } = issueToken('session', sessionId)
  const { times, told, endsAt } = lifeOf(ports, sessionId, remember)
  const created = await ports.actor('session', sessionId).send(
    {
      type: 'session.created',
      userId: account.id,
      tokenHash: hash,
      ...times,
      methods: [...methods],
      ...clientData(located(ports, client)),
    },
    NEW_ACTOR,
  )
  if (!created.ok) return refused('invalid_credentials')
  const room = await takeRoom(ports, account, sessionId, endsAt, shownUnder)
  return room ?? { ok: true, sessionId, userId: account.id, token, ...told }
}

/** How long a session that begins now lasts: as events say it, and as its owner is told. */
export function lifeOf({ settings, clock }: AccountPorts, sessionId: number, remember: boolean) {
  const now = clock.now()
  const tokenEndsAt = new Date(now + settings.absoluteMs).toISOString()
  const { idleMs } = settings
  if (!remember)
    return { times: { expiresAt: tokenEndsAt, idleMs }, told: { expiresAt: tokenEndsAt }, endsAt: tokenEndsAt }
  const endsAt = new Date(now + Math.max(settings.rememberMs, settings.absoluteMs)).toISOString()
  const { token: rememberToken, hash: tokenHash, familyHash } = issueRemember(sessionId)
  return {
    times: { expiresAt: endsAt, tokenExpiresAt: tokenEndsAt, idleMs, remember: { familyHash, tokenHash } },
    told: { expiresAt: tokenEndsAt, rememberToken, rememberedUntil: endsAt },
    endsAt,
  }
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
  { id: userId, context: { authEpoch } }: Account,
  factors: readonly FactorMethod[],
  client: Client,
  remember = false,
): Promise<PendingSession | AccountRefusal> {
  const { settings, clock } = ports
  const sessionId = await ports.nextId('session')
  const { token, hash } = issueToken('session', sessionId)
  const expiresAt = new Date(clock.now() + settings.pendingMs).toISOString()
  const created = await ports.actor('session', sessionId).send(
    {
      type: 'session.created',
      userId,
      tokenHash: hash,
      expiresAt,
      methods: ['password'],
      pending: true,
      authEpoch,
      ...(remember ? { wantsRemember: true } : {}),
      ...clientData(located(ports, client)),
    },
    NEW_ACTOR,
  )
  if (!created.ok) return refused('invalid_credentials')
  return { ok: true, pending: true, sessionId, userId, token, expiresAt, factors }
}

/**
 * A session counts once the user has it among the open ones: two nodes cannot both take the last room. The account may be
 * as memory holds it, for the user's machine refuses what was worked out from anything that is no more.
 */
export async function takeRoom(
  ports: AccountPorts,
  account: Account,
  sessionId: number,
  expiresAt: string,
  shownUnder: number | null = account.context.authEpoch,
): Promise<AccountRefusal | undefined> {
  let read = account
  // What the machine decides on: without what other nodes accepted beside the log.
  let logged = account
  for (let refusals = 0; ; refusals++) {
    const { sessions, authEpoch, roles, sessionLimit } = logged.context
    const { most: limit, policy } = sessionLimitOf(ports, read)
    const { over, idle } = sessions.length < limit ? NONE_ENDED : await endedOf(ports, sessions, limit, policy)
    const result = await account.handle.send({
      type: 'user.login.recorded',
      opened: {
        sessionId,
        expiresAt,
        limit,
        policy,
        ended: [...over, ...idle],
        // A password that was changed since it was shown opens nothing.
        authEpoch: shownUnder ?? authEpoch,
        limitOf: { roles: [...roles], sessionLimit },
      },
    })
    if (result.ok) {
      const after = await readAccount(ports, account.id, { maxStaleMs: ports.settings.maxStaleMs })
      const gone = sessions.filter(({ id }) => !over.includes(id) && !isOpen(after.context, id))
      await Promise.all(gone.map(({ id }) => revokeSession(ports, id, PUSHED_OUT)))
      return undefined
    }
    const before = logged
    read = await readAccount(ports, account.id)
    logged = await readAccount(ports, account.id, { logged: true, maxStaleMs: ports.settings.maxStaleMs })
    const standsAsShown = read.active && (shownUnder ?? read.context.authEpoch) === read.context.authEpoch
    // Others have come and gone since the account was read.
    if (standsAsShown && isOther(before, logged) && refusals < MOST_REFUSALS) continue
    await revokeSession(ports, sessionId, 'no room')
    return standsAsShown ? refused('session_limit') : refused('invalid_credentials')
  }
}

/** Whether a login would be refused for the limit: whoever is about to complete one is told before a code is used up. */
export async function isFull(ports: AccountPorts, userId: number): Promise<boolean> {
  for (const maxStaleMs of [ports.settings.maxStaleMs, 0]) {
    const account = await readAccount(ports, userId, maxStaleMs === 0 ? undefined : { maxStaleMs })
    const { most, policy } = sessionLimitOf(ports, account)
    const now = ports.clock.now()
    const running = account.context.sessions.filter(({ expiresAt }) => Date.parse(expiresAt) > now)
    if (policy !== 'refuse' || running.length < most) return false
    const { over, idle } = await endedOf(ports, running, most, policy)
    if (running.length - over.length - idle.length < most) return false
  }
  return true
}

/** Another version; or the same one, which was read with what is beside the log. */
function isOther(before: Account, now: Account): boolean {
  return before.version !== now.version || !isLimitOf(now.context, before.context)
}

/** Sessions that are looked at together. */
const LOOKED_AT = 50
/** After which the account is not read again. */
const MOST_REFUSALS = 2

interface Ended {
  /** They say so themselves. */
  readonly over: readonly number[]
  /** Nobody has told them yet. */
  readonly idle: readonly number[]
}

const NONE_ENDED: Ended = { over: [], idle: [] }

/**
 * Sessions among the open ones that have ended by themselves meanwhile. Nothing undoes an end, so memory of any age will do
 * for those; the others are asked only where there is no room yet. Where the oldest would make room it is enough to find one.
 */
async function endedOf(
  ports: AccountPorts,
  open: readonly { readonly id: number }[],
  limit: number,
  policy: 'refuse' | 'revoke_oldest',
): Promise<Ended> {
  const over = open.filter(({ id }) => isEnd(ports.actor('session', id).remembered()?.state)).map(({ id }) => id)
  if (open.length - over.length < limit) return { over, idle: [] }
  const idle: number[] = []
  const others = open.filter(({ id }) => !over.includes(id))
  for (const some of chunksOf(others, LOOKED_AT)) {
    await Promise.all(
      some.map(async ({ id }) => {
        const { state, context } = await readSession(ports, id, policy === 'refuse' ? 0 : ports.settings.maxStaleMs)
        if (state !== 'active') over.push(id)
        else if (context.remember === null && isIdle(ports, id, context, ports.clock.now())) idle.push(id)
      }),
    )
    if (policy === 'revoke_oldest') break
  }
  return { over, idle }
}

function isEnd(state: string | undefined): boolean {
  return state === 'closed' || state === 'expired' || state === 'revoked'
}
