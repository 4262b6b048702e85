/** The life of a session: active until its time is up, it is closed, or revoked. A later end in this order takes the place of an earlier one; nothing undoes an end. */
import { assign, cancel, raise, setup } from 'xstate'
import { msUntil } from '../fields.ts'
import { changed, type WithRow } from '../read-row.ts'
import type { SessionEvent } from './events.ts'
import type { SessionRow } from './row.ts'

export interface SessionContext extends WithRow<SessionRow> {
  readonly row: SessionRow | null
  readonly endReason: string | null
}

const base = setup({
  types: {} as { context: SessionContext; events: SessionEvent },
  delays: { expiry: ({ context, event }) => msUntil(context.row?.expires_at ?? null, event.at) },
})

const watchExpiry = base.createAction(raise({ type: 'session.expired', at: '' }, { id: 'expiry', delay: 'expiry' }))

const end = base.createAction(
  assign(({ context, event }) => ({
    row: changed(context.row, { is_active: false, last_activity: event.at }),
    endReason: event.type === 'session.revoked' ? (event.reason ?? null) : null,
  })),
)

export const machine = base.createMachine({
  id: 'session',
  context: { row: null, endReason: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'session.created': {
          guard: ({ event }) => Date.parse(event.expiresAt) > Date.parse(event.at),
          target: 'active',
          actions: assign({
            row: ({ event }) => ({
              user_id: event.userId,
              session_token: event.tokenHash,
              device_id: event.deviceId ?? null,
              user_agent: event.userAgent ?? null,
              ip_address: event.ipAddress ?? null,
              expires_at: inUtc(event.expiresAt),
              created_at: event.at,
              last_activity: event.at,
              is_active: true,
            }),
          }),
        },
        'session.imported': [
          {
            guard: ({ event }) => event.row.is_active === true,
            target: 'active',
            actions: assign({ row: ({ event }) => event.row }),
          },
          { target: 'closed', actions: assign({ row: ({ event }) => event.row }) },
        ],
      },
    },
    active: {
      entry: watchExpiry,
      exit: cancel('expiry'),
      on: {
        'session.refreshed': {
          guard: ({ context, event }) =>
            Date.parse(event.expiresAt) >
            Math.max(Date.parse(event.at), Date.parse(context.row?.created_at ?? event.at)),
          actions: [
            assign({
              row: ({ context, event }) =>
                changed(context.row, {
                  expires_at: inUtc(event.expiresAt),
                  session_token: event.tokenHash ?? context.row?.session_token ?? '',
                  last_activity: event.at,
                }),
            }),
            watchExpiry,
          ],
        },
        'session.touched': {
          actions: assign({
            row: ({ context, event }) =>
              changed(context.row, {
                last_activity: event.at,
                ip_address: event.ipAddress ?? context.row?.ip_address ?? null,
              }),
          }),
        },
        'session.closed': { target: 'closed', actions: end },
        'session.revoked': { target: 'revoked', actions: end },
        'session.expired': {
          target: 'expired',
          actions: assign({ row: ({ context }) => changed(context.row, { is_active: false }) }),
        },
      },
    },
    closed: { on: { 'session.revoked': { target: 'revoked', actions: end } } },
    expired: {
      on: {
        'session.closed': { target: 'closed', actions: end },
        'session.revoked': { target: 'revoked', actions: end },
      },
    },
    revoked: {},
  },
})

/** The column has no zone: it holds UTC. */
function inUtc(time: string): string {
  return new Date(time).toISOString()
}
