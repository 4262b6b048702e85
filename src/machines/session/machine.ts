/** The life of a session: active until it expires, is closed or is revoked. A revocation replaces the other ends, a close an expiry; nothing undoes an end. */
import { assign, cancel, raise, setup } from 'xstate'
import { msUntil } from '../fields.ts'
import { changed, type WithRow } from '../read-row.ts'
import type { Method, SessionEvent } from './events.ts'
import { asRow, boundTo, inUtc, latestOf, type SessionRow } from './row.ts'

/** A token that was replaced, and for how long it is still taken: requests under way carry it. */
export interface Replaced {
  readonly tokenHash: string
  /** ISO 8601. */
  readonly until: string
}

interface Remembered {
  readonly familyHash: string
  readonly tokenHash: string
  readonly previousToken: Replaced | null
}

export interface SessionContext extends WithRow<SessionRow> {
  readonly row: SessionRow | null
  readonly endReason: string | null
  /** What was shown so far. */
  readonly methods: readonly Method[]
  /** When one of them was last shown, and when a second factor was. */
  readonly authenticatedAt: string | null
  readonly factorAt: string | null
  readonly idleMs: number | null
  readonly tokenExpiresAt: string | null
  readonly previousToken: Replaced | null
  readonly remember: Remembered | null
  /** A factor is wanted before anything else. */
  readonly challenged: boolean
  /** To be remembered once it is no longer pending. */
  readonly wantsRemember: boolean
  /** The user's when the password was looked at: where that was changed since, no factor opens this. */
  readonly authEpoch: number | null
}

/** How long a replaced token is still taken. */
export const REPLACED_FOR_MS = 10_000

const base = setup({
  types: {} as { context: SessionContext; events: SessionEvent },
  delays: { expiry: ({ context, event }) => msUntil(context.row?.expires_at ?? null, event.at) },
})

const watchExpiry = base.createAction(raise({ type: 'session.expired', at: '' }, { id: 'expiry', delay: 'expiry' }))

const begin = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'session.created') return context
    const { remember, methods = [] } = event
    return {
      row: {
        user_id: event.userId,
        session_token: event.tokenHash,
        device_id: event.deviceId ?? null,
        user_agent: event.userAgent ?? null,
        ip_address: event.ipAddress ?? null,
        expires_at: inUtc(event.expiresAt),
        created_at: event.at,
        last_activity: event.at,
        is_active: event.pending !== true,
        device_fingerprint: event.deviceFingerprint ?? null,
        geo_location: event.geoLocation ?? null,
        is_remembered: remember !== undefined,
      },
      methods,
      authenticatedAt: methods.length === 0 ? null : event.at,
      factorAt: methods.some(isFactor) ? event.at : null,
      idleMs: event.idleMs ?? null,
      tokenExpiresAt: event.tokenExpiresAt ?? null,
      remember: remember === undefined ? null : { ...remember, previousToken: null },
      wantsRemember: event.wantsRemember === true,
      authEpoch: event.authEpoch ?? null,
    }
  }),
)

const authenticate = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'session.authenticated') return context
    const { remember } = event
    return {
      row: changed(context.row, {
        session_token: event.tokenHash,
        expires_at: inUtc(event.expiresAt),
        last_activity: event.at,
        is_active: true,
        is_remembered: remember !== undefined,
      }),
      methods: [...new Set([...context.methods, event.method])],
      authenticatedAt: event.at,
      factorAt: event.at,
      idleMs: event.idleMs ?? null,
      tokenExpiresAt: event.tokenExpiresAt ?? null,
      remember: remember === undefined ? null : { ...remember, previousToken: null },
    }
  }),
)

const elevate = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'session.elevated') return context
    return {
      row: changed(context.row, {
        ...(context.challenged ? boundTo(event) : {}),
        session_token: event.tokenHash,
        last_activity: event.at,
      }),
      // A stolen token must not live on beside the elevated one; under version 1 the remember-me token did.
      previousToken: null,
      remember: renewed(context.remember, event.remember),
      methods: [...new Set([...context.methods, event.method])],
      authenticatedAt: event.at,
      factorAt: isFactor(event.method) ? event.at : context.factorAt,
      challenged: false,
    }
  }),
)

const move = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'session.moved') return context
    const { row } = context
    return {
      row: changed(row, {
        device_id: event.deviceId ?? row?.device_id ?? null,
        device_fingerprint: event.deviceFingerprint ?? row?.device_fingerprint ?? null,
        user_agent: event.userAgent ?? row?.user_agent ?? null,
        ip_address: event.ipAddress ?? row?.ip_address ?? null,
        geo_location: event.geoLocation ?? row?.geo_location ?? null,
        last_activity: event.at,
      }),
    }
  }),
)

const refresh = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'session.refreshed') return context
    const { row, remember } = context
    const until = new Date(Date.parse(event.at) + REPLACED_FOR_MS).toISOString()
    return {
      row: changed(row, {
        expires_at: inUtc(event.expiresAt),
        session_token: event.tokenHash ?? row?.session_token ?? '',
        last_activity: event.at,
      }),
      tokenExpiresAt: event.tokenExpiresAt ?? context.tokenExpiresAt,
      previousToken:
        event.tokenHash === undefined || row === null ? context.previousToken : { tokenHash: row.session_token, until },
      remember:
        remember === null || event.rememberHash === undefined
          ? remember
          : { ...remember, tokenHash: event.rememberHash, previousToken: { tokenHash: remember.tokenHash, until } },
      // A token that goes on where a password was shown shows nothing anew.
      methods:
        event.rememberHash === undefined ? context.methods : [...new Set<Method>([...context.methods, 'remembered'])],
    }
  }),
)

const touch = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'session.touched') return context
    const { row } = context
    return {
      row: changed(row, {
        last_activity: latestOf(row?.last_activity ?? null, event.seenAt, event.at),
        ip_address: event.ipAddress ?? row?.ip_address ?? null,
      }),
    }
  }),
)

const end = base.createAction(
  assign(({ context, event }) => ({
    row: changed(context.row, { is_active: false, last_activity: event.at }),
    endReason: event.type === 'session.revoked' ? (event.reason ?? null) : null,
  })),
)

const forget = base.createAction(
  assign(({ context }) => ({
    row: changed(context.row, {
      device_id: null,
      user_agent: null,
      ip_address: null,
      device_fingerprint: null,
      geo_location: null,
    }),
    endReason: null,
  })),
)

const lapse = base.createAction(assign(({ context }) => ({ row: changed(context.row, { is_active: false }) })))

export const machine = base.createMachine({
  id: 'session',
  context: {
    row: null,
    endReason: null,
    methods: [],
    authenticatedAt: null,
    factorAt: null,
    idleMs: null,
    tokenExpiresAt: null,
    previousToken: null,
    remember: null,
    challenged: false,
    wantsRemember: false,
    authEpoch: null,
  },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'session.created': [
          { guard: ({ event }) => lasts(event) && event.pending === true, target: 'pending', actions: begin },
          { guard: ({ event }) => lasts(event), target: 'active', actions: begin },
        ],
        'session.imported': [
          {
            guard: ({ event }) => event.row.is_active === true,
            target: 'active',
            actions: assign({ row: ({ event }) => asRow(event.row) }),
          },
          { target: 'closed', actions: assign({ row: ({ event }) => asRow(event.row) }) },
        ],
      },
    },
    pending: {
      entry: watchExpiry,
      exit: cancel('expiry'),
      on: {
        'session.authenticated': { guard: ({ event }) => lasts(event), target: 'active', actions: authenticate },
        'session.closed': { target: 'closed', actions: end },
        'session.revoked': { target: 'revoked', actions: end },
        'session.expired': { target: 'expired', actions: lapse },
      },
    },
    active: {
      entry: watchExpiry,
      exit: cancel('expiry'),
      on: {
        'session.refreshed': {
          guard: ({ context, event }) =>
            Date.parse(event.expiresAt) >
              Math.max(Date.parse(event.at), Date.parse(context.row?.created_at ?? event.at)) &&
            (event.replacesHash === undefined || event.replacesHash === replaceable(context, event)),
          actions: [refresh, watchExpiry],
        },
        'session.elevated': { actions: elevate },
        'session.challenged': { actions: assign({ challenged: true }) },
        'session.moved': { actions: move },
        'session.touched': { actions: touch },
        'session.closed': { target: 'closed', actions: end },
        'session.revoked': { target: 'revoked', actions: end },
        'session.expired': { target: 'expired', actions: lapse },
      },
    },
    closed: { on: { 'session.revoked': { target: 'revoked', actions: end } } },
    expired: {
      on: {
        'session.closed': { target: 'closed', actions: end },
        'session.revoked': { target: 'revoked', actions: end },
      },
    },
    revoked: { on: { 'session.erased': { actions: forget } } },
  },
})

/** Only what is remembered has tokens to renew. */
function renewed(known: Remembered | null, next: Omit<Remembered, 'previousToken'> | undefined): Remembered | null {
  return known === null || next === undefined ? known : { ...next, previousToken: null }
}

/** A second factor, or a passkey, which is two in one. */
function isFactor(method: Method): boolean {
  return method !== 'password' && method !== 'remembered' && method !== 'trusted_device'
}

/** The token a refresh replaces: of two that are made from the same one only the first is taken. */
function replaceable(
  { row, remember }: SessionContext,
  { rememberHash }: { readonly rememberHash?: string | undefined },
) {
  return rememberHash === undefined ? row?.session_token : remember?.tokenHash
}

function lasts({ expiresAt, at }: { readonly expiresAt: string; readonly at: string }): boolean {
  return Date.parse(expiresAt) > Date.parse(at)
}
