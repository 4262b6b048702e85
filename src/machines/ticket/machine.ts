/** The life of a ticket: open until it is used, once, or its time is up. */
import { assign, cancel, raise, setup } from 'xstate'
import { msUntil } from '../fields.ts'
import type { Purpose, TicketEvent } from './events.ts'

export interface TicketContext {
  readonly purpose: Purpose | null
  readonly secretHash: string
  readonly expiresAt: string
  readonly userId: number | null
  readonly authEpoch: number | null
  readonly addressHash: string | null
  readonly sessionId: number | null
}

const base = setup({
  types: {} as { context: TicketContext; events: TicketEvent },
  delays: { expiry: ({ context, event }) => msUntil(context.expiresAt, event.at) },
})

export const machine = base.createMachine({
  id: 'ticket',
  context: {
    purpose: null,
    secretHash: '',
    expiresAt: '',
    userId: null,
    authEpoch: null,
    addressHash: null,
    sessionId: null,
  },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'ticket.issued': {
          guard: ({ event }) => Date.parse(event.expiresAt) > Date.parse(event.at),
          target: 'open',
          actions: assign({
            purpose: ({ event }) => event.purpose,
            secretHash: ({ event }) => event.secretHash,
            expiresAt: ({ event }) => event.expiresAt,
            userId: ({ event }) => event.userId ?? null,
            authEpoch: ({ event }) => event.authEpoch ?? null,
            addressHash: ({ event }) => event.addressHash ?? null,
            sessionId: ({ event }) => event.sessionId ?? null,
          }),
        },
      },
    },
    open: {
      entry: raise({ type: 'ticket.expired', at: '' }, { id: 'expiry', delay: 'expiry' }),
      exit: cancel('expiry'),
      on: {
        // The timer may be late.
        'ticket.used': {
          guard: ({ context, event }) => Date.parse(context.expiresAt) > Date.parse(event.at),
          target: 'used',
        },
        'ticket.voided': 'voided',
        'ticket.expired': 'expired',
      },
    },
    used: {},
    voided: {},
    expired: {},
  },
})
