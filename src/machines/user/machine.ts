/** The life of a user: active, deactivated and back, deleted for good. */
import { assign, fromPromise, setup } from 'xstate'
import { changed, type WithRow } from '../read-row.ts'
import type { Role, UserEvent } from './events.ts'
import { hasRoom, isLimitOf, type OpenSession, onlyKept, withOpened } from './open-sessions.ts'
import type { UserRow } from './row.ts'

export interface UserContext extends WithRow<UserRow> {
  readonly row: UserRow | null
  readonly roles: readonly Role[]
  /** Names that are claimed as written: in 24.2 another user had one of them in other letters. */
  readonly exactUsername: boolean
  readonly exactEmail: boolean
  /** What the user name looks like, where that is claimed too. */
  readonly skeletons: readonly string[]
  /** The only valid ones. */
  readonly sessions: readonly OpenSession[]
  /** Where it is not the one of the roles. */
  readonly sessionLimit: number | null
  /** How often what one signs in with was changed: what was issued under an older number is void. */
  readonly authEpoch: number
}

const base = setup({
  types: {} as { context: UserContext; events: UserEvent },
  actors: { releaseOwned: fromPromise(async () => undefined), eraseOwned: fromPromise(async () => undefined) },
})

const edit = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'user.updated') return context
    const { row } = context
    return {
      row: changed(row, {
        username: event.username ?? row?.username ?? '',
        email: event.email ?? row?.email ?? '',
        is_verified: isStillVerified(row, event),
        display_name: event.displayName === undefined ? (row?.display_name ?? null) : event.displayName,
        avatar_url: event.avatarUrl === undefined ? (row?.avatar_url ?? null) : event.avatarUrl,
        updated_at: event.at,
      }),
      // A new name is held to the rule for new names.
      exactUsername: context.exactUsername && event.username === undefined,
      exactEmail: context.exactEmail && event.email === undefined,
      skeletons: event.username === undefined ? context.skeletons : (event.skeletons ?? []),
    }
  }),
)

const setRoles = base.createAction(
  assign(({ context, event }) =>
    event.type === 'user.roles.changed' ? { roles: [...new Set(event.roles)].sort(), sessions: [] } : context,
  ),
)

const setPassword = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'user.password.changed' && event.type !== 'user.password.rehashed') return context
    const row = changed(context.row, { password_hash: event.passwordHash, updated_at: event.at })
    if (event.type === 'user.password.rehashed') return { row }
    return { row, authEpoch: context.authEpoch + 1, sessions: onlyKept(context.sessions, event.keepSession) }
  }),
)

const endSessions = base.createAction(
  assign(({ context, event }) => ({
    sessions: event.type === 'user.sessions.ended' ? onlyKept(context.sessions, event.keepSession) : [],
  })),
)

const limitSessions = base.createAction(
  assign(({ context, event }) => (event.type === 'user.sessions.limited' ? { sessionLimit: event.limit } : context)),
)

/** Nothing of the person: before there is a user, and when one was erased. */
const NOBODY = {
  row: null,
  roles: [],
  exactUsername: false,
  exactEmail: false,
  skeletons: [],
  sessions: [],
  sessionLimit: null,
} satisfies Partial<UserContext>

const erase = { target: 'erasing', actions: base.assign(NOBODY) } as const

const takeOver = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'user.imported') return context
    const exact = event.exactNames ?? false
    return { row: event.row, roles: ['viewer'] as const, exactUsername: exact, exactEmail: exact }
  }),
)

/** Whether what one signs in with is still what it was then. */
function isOfNow({ authEpoch }: UserContext, then: number | undefined): boolean {
  return then === undefined || then === authEpoch
}

export const machine = base.createMachine({
  id: 'user',
  context: { ...NOBODY, authEpoch: 0 },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'user.registered': {
          target: 'active',
          actions: assign({
            row: ({ event }) => ({
              username: event.username,
              email: event.email,
              password_hash: event.passwordHash,
              display_name: event.displayName ?? null,
              avatar_url: event.avatarUrl ?? null,
              is_verified: false,
              is_active: true,
              created_at: event.at,
              updated_at: event.at,
              last_login_at: null,
            }),
            roles: ['viewer'],
            skeletons: ({ event }) => event.skeletons ?? [],
          }),
        },
        'user.imported': [
          {
            guard: ({ event }) => event.row.is_active === true,
            target: 'active',
            actions: takeOver,
          },
          {
            target: 'deactivated',
            actions: takeOver,
          },
        ],
      },
    },
    active: {
      on: {
        // Also where it is already: whether an address is another one cannot be told once the user is erased.
        'user.verified': {
          actions: assign({
            row: ({ context, event }) => changed(context.row, { is_verified: true, updated_at: event.at }),
          }),
        },
        'user.updated': { actions: edit },
        'user.password.changed': {
          guard: ({ context, event }) => isOfNow(context, event.authEpoch),
          actions: setPassword,
        },
        'user.password.rehashed': {
          guard: ({ context, event }) => isOfNow(context, event.authEpoch),
          actions: setPassword,
        },
        'user.login.recorded': {
          guard: ({ context, event }) =>
            isOfNow(context, event.opened?.authEpoch) &&
            isLimitOf(context, event.opened?.limitOf) &&
            hasRoom(context.sessions, event),
          actions: assign({
            row: ({ context, event }) => changed(context.row, { last_login_at: event.at, updated_at: event.at }),
            sessions: ({ context, event }) => withOpened(context.sessions, event),
          }),
        },
        'user.sessions.ended': { actions: endSessions },
        'user.sessions.limited': { actions: limitSessions },
        'user.roles.changed': { actions: setRoles },
        'user.deactivated': {
          target: 'deactivated',
          actions: assign({
            row: ({ context, event }) => changed(context.row, { is_active: false, updated_at: event.at }),
            sessions: [],
            authEpoch: ({ context }) => context.authEpoch + 1,
          }),
        },
        'user.deleted': { target: 'deleted', actions: endSessions },
        'user.erased': erase,
      },
    },
    deactivated: {
      on: {
        'user.updated': { actions: edit },
        'user.roles.changed': { actions: setRoles },
        'user.sessions.limited': { actions: limitSessions },
        'user.reactivated': {
          target: 'active',
          actions: assign({
            row: ({ context, event }) => changed(context.row, { is_active: true, updated_at: event.at }),
          }),
        },
        'user.deleted': 'deleted',
        'user.erased': erase,
      },
    },
    deleted: { invoke: { id: 'releaseOwned', src: 'releaseOwned' }, on: { 'user.erased': erase } },
    erasing: { invoke: { id: 'eraseOwned', src: 'eraseOwned' }, on: { 'user.forgotten': 'erased' } },
    erased: {},
  },
})

/** A new address is to be verified anew. */
function isStillVerified(row: UserRow | null, event: Extract<UserEvent, { type: 'user.updated' }>): boolean | null {
  const isNew = event.email !== undefined && event.email !== row?.email
  return isNew && event.keepVerified !== true ? false : (row?.is_verified ?? null)
}
