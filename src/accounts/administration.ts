/** What administrators change of other accounts. Each change names them in its event and takes effect on every node with that event. */
import { AppError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { OutgoingEvent } from '../machines/define.ts'
import type { Role } from '../machines/user/events.ts'
import { byUser } from './acting-user.ts'
import { type AccountRefusal, accountContended, refused } from './answers.ts'
import { revokeSession } from './end-sessions.ts'
import { beginErasure, type Erasure, type ErasureOptions, isErased, prepareErasure } from './erasure.ts'
import { inTurn } from './in-turn.ts'
import type { AccountPorts } from './ports.ts'
import { type ListedSession, listSessions } from './session-list.ts'
import { type Account, readAccount } from './users.ts'

/** An account as administrators see it. */
export interface AccountView {
  readonly id: number
  readonly username: string
  readonly email: string
  readonly displayName: string | null
  readonly state: 'active' | 'deactivated'
  readonly verified: boolean
  readonly roles: readonly Role[]
  /** Where it is not the one of the roles. */
  readonly sessionLimit: number | null
  readonly openSessions: number
  /** ISO 8601. */
  readonly createdAt: string | null
  readonly lastLoginAt: string | null
}

export interface Changed {
  readonly ok: true
  /** Sessions that were open until then. */
  readonly ended: number
}

export interface Administration {
  /** Accounts by id; deleted ones are left out. `next` is the cursor of the next page. */
  list(after: number, limit: number): Promise<{ readonly users: readonly AccountView[]; readonly next?: number }>
  /** Throws AppError `not_found`, as all below. */
  show(userId: number): Promise<AccountView>
  /** The newest first; `current` is the one that asks. */
  sessions(userId: number, current?: number): Promise<readonly ListedSession[]>
  /** @param by the administrator, undefined for the operator of the node */
  setRoles(userId: number, roles: readonly Role[], by?: number): Promise<Changed | AccountRefusal>
  deactivate(userId: number, reason: string | undefined, by?: number): Promise<Changed | AccountRefusal>
  reactivate(userId: number, by?: number): Promise<Changed | AccountRefusal>
  /** Null: the limit of the roles. */
  limitSessions(userId: number, limit: number | null, by?: number): Promise<Changed | AccountRefusal>
  endSessions(userId: number, reason: string, by?: number): Promise<Changed | AccountRefusal>
  /**
   * For good, also of an account that was deleted. What was done under the id stays in the log, and who it was cannot be
   * read again. May be asked again, also while it is under way.
   */
  erase(userId: number, options?: ErasureOptions): Promise<Erasure | AccountRefusal>
}

const PAGE = 1_000
const LEASE = 'accounts:admins'
const TRIES = 20

export function createAdministration(ports: AccountPorts): Administration {
  /** Runs what takes an administrator away, unless no other is left, while nobody else takes one away. */
  const unlessLast = <Result>(userId: number, by: number | undefined, work: () => Promise<Result>) =>
    inTurn(ports, LEASE, 'Other administrators are being changed.', async () =>
      (await isAnotherAdmin(ports, userId, by)) ? work() : refused('last_admin'),
    )

  /** A change after which the account may be no working administrator any more. */
  const demote = async (userId: number, event: OutgoingEvent, by: number | undefined, reason: string) => {
    const account = await existing(ports, userId)
    if (!isAdmin(account)) return change(ports, account, event, by, reason)
    return unlessLast(userId, by, async () => change(ports, await existing(ports, userId), event, by, reason))
  }

  return {
    list: (after, limit) => list(ports, after, limit),
    show: async userId => viewOf(await existing(ports, userId)),
    sessions: async (userId, current) => {
      const { id } = await existing(ports, userId)
      return listSessions(ports, id, current)
    },
    setRoles: async (userId, roles, by) => {
      const event = { type: 'user.roles.changed', roles: [...roles] }
      const reason = 'the roles of the user changed'
      const account = await existing(ports, userId)
      if (sameRoles(account.context.roles, roles)) return { ok: true, ended: 0 }
      return roles.includes('admin') ? change(ports, account, event, by, reason) : demote(userId, event, by, reason)
    },
    deactivate: (userId, reason, by) =>
      demote(userId, { type: 'user.deactivated', ...(reason === undefined ? {} : { reason }) }, by, 'user deactivated'),
    reactivate: async (userId, by) => change(ports, await existing(ports, userId), { type: 'user.reactivated' }, by),
    limitSessions: async (userId, limit, by) =>
      change(ports, await existing(ports, userId), { type: 'user.sessions.limited', limit }, by),
    endSessions: async (userId, reason, by) =>
      change(ports, await existing(ports, userId), { type: 'user.sessions.ended', reason }, by, reason),
    erase: async (userId, options = {}) => {
      const { by } = options
      const begin = () => beginErasure(ports, userId, by)
      const isOfAdmin = isAdmin(await readAccount(ports, userId))
      // Asked before anything is rewritten, and again, with the lease, when that is done: it may take longer than a lease lasts.
      if (isOfAdmin && !(await isAnotherAdmin(ports, userId, by))) return refused('last_admin')
      const prepared = await prepareErasure(ports, userId, options)
      if (!prepared.ok) return prepared
      const begun = isOfAdmin ? await unlessLast(userId, by, begin) : await begin()
      return begun.ok ? { ...prepared, userId, done: await isErased(ports, userId) } : begun
    },
  }
}

/**
 * Sends the event on the state it was decided on; where that has moved on, decides anew.
 * @param endsWith why its sessions end; undefined where they go on
 */
async function change(
  ports: AccountPorts,
  decidedOn: Account,
  event: OutgoingEvent,
  by: number | undefined,
  endsWith?: string,
): Promise<Changed | AccountRefusal> {
  let account = decidedOn
  for (let tries = 0; tries < TRIES; tries++) {
    const options = { expectedVersion: account.version, ...byUser(by) }
    const result = await account.handle.send(event, options)
    if (result.ok) {
      if (endsWith === undefined) return { ok: true, ended: 0 }
      const open = account.context.sessions
      // They are void already; this is for the tables, and for a node that is cut off from this one.
      await Promise.all(open.map(({ id }) => revokeSession(ports, id, endsWith, by)))
      return { ok: true, ended: open.length }
    }
    if (result.reason !== 'wrong_version') return refused('not_in_this_state')
    const now = await existing(ports, account.id)
    if (isAdmin(now) !== isAdmin(account)) break
    account = now
  }
  throw accountContended()
}

/** Whoever takes the role from another keeps it; only where that is no administrator, all accounts are gone through. */
async function isAnotherAdmin(ports: AccountPorts, userId: number, by: number | undefined): Promise<boolean> {
  if (by !== undefined && by !== userId && isAdmin(await readAccount(ports, by))) return true
  for (let after = 0; ; ) {
    const heads = await ports.listActors('user', after, PAGE)
    for (const { id, state } of heads) {
      after = id
      if (id !== userId && state === 'active' && isAdmin(await readAccount(ports, id))) return true
    }
    if (heads.length < PAGE) return false
  }
}

async function list(ports: AccountPorts, after: number, limit: number) {
  const heads = await ports.listActors('user', after, limit)
  const accounts = await Promise.all(
    heads.filter(({ state }) => state !== 'deleted').map(({ id }) => readAccount(ports, id)),
  )
  const users = accounts.filter(({ context }) => context.row !== null).map(viewOf)
  const last = heads.at(-1)?.id
  return { users, ...(heads.length < limit || last === undefined ? {} : { next: last }) }
}

async function existing(ports: AccountPorts, userId: number): Promise<Account> {
  const account = await readAccount(ports, userId)
  if (account.context.row === null || account.state === 'deleted')
    throw new AppError('not_found', `There is no user ${userId}.`)
  return account
}

function isAdmin({ active, context }: Account): boolean {
  return active && context.roles.includes('admin')
}

function sameRoles(left: readonly Role[], right: readonly Role[]): boolean {
  return new Set(left).symmetricDifference(new Set(right)).size === 0
}

function viewOf({ id, active, context }: Account): AccountView {
  const row = (context.row ?? {}) as JsonObject
  return {
    id,
    username: String(row['username']),
    email: String(row['email']),
    displayName: row['display_name'] as string | null,
    state: active ? 'active' : 'deactivated',
    verified: row['is_verified'] === true,
    roles: context.roles,
    sessionLimit: context.sessionLimit,
    openSessions: context.sessions.length,
    createdAt: row['created_at'] as string | null,
    lastLoginAt: row['last_login_at'] as string | null,
  }
}
