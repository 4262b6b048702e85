/** A small entity that uses everything the runtime offers: claims, references, a durable timer, effects, a bug on demand. */
import { assign, cancel, fromPromise, raise, setup } from 'xstate'
import { z } from 'zod'
import {
  defineEntity,
  type Effect,
  type EntityDefinition,
  event,
  type MachineEvent,
} from '../../src/machines/define.ts'

const events = {
  'booking.made': event(
    1,
    z.object({
      name: z.string().max(50),
      seats: z.number().int().min(1),
      expiresAt: z.iso.datetime().optional(),
      parent: z.number().int().optional(),
    }),
  ),
  'booking.changed': event(1, z.object({ seats: z.number().int().min(1) })),
  'booking.renamed': event(1, z.object({ name: z.string().max(50) })),
  'booking.extended': event(1, z.object({ expiresAt: z.iso.datetime() })),
  'booking.confirmed': event(1, z.object({})),
  'booking.ticket.sent': event(1, z.object({ ticket: z.string() }), { internal: true }),
  'booking.expired': event(1, z.object({}), { internal: true }),
  'booking.exploded': event(1, z.object({})),
  'booking.cancelled': event(1, z.object({})),
}

interface BookingContext {
  name: string
  seats: number
  expiresAt: string | null
  ticket: string | null
}

const base = setup({
  types: {} as { context: BookingContext; events: MachineEvent<typeof events> },
  actors: { sendTicket: fromPromise(async () => undefined) },
  guards: { hasExpiry: ({ context }) => context.expiresAt !== null },
  delays: {
    expiry: ({ context, event: { at } }) => Math.max(0, Date.parse(context.expiresAt ?? at) - Date.parse(at)),
  },
})

const expiry = base.createAction(raise({ type: 'booking.expired', at: '' }, { id: 'expiry', delay: 'expiry' }))

const machine = base.createMachine({
  context: { name: '', seats: 0, expiresAt: null, ticket: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'booking.made': {
          target: 'made',
          actions: assign(({ event: { name, seats, expiresAt } }) => ({ name, seats, expiresAt: expiresAt ?? null })),
        },
      },
    },
    made: {
      entry: expiry,
      exit: cancel('expiry'),
      on: {
        'booking.changed': { actions: assign({ seats: ({ event: { seats } }) => seats }) },
        'booking.renamed': { actions: assign({ name: ({ event: { name } }) => name }) },
        'booking.extended': {
          actions: [assign({ expiresAt: ({ event: { expiresAt } }) => expiresAt }), expiry],
        },
        'booking.exploded': {
          actions: assign(() => {
            throw new Error('boom')
          }),
        },
        'booking.confirmed': 'confirmed',
        'booking.expired': { guard: 'hasExpiry', target: 'expired' },
        'booking.cancelled': 'deleted',
      },
    },
    confirmed: {
      invoke: { id: 'ticket', src: 'sendTicket', input: ({ context: { name } }) => ({ name }) },
      on: {
        'booking.ticket.sent': { target: 'ticketed', actions: assign({ ticket: ({ event: { ticket } }) => ticket }) },
        'booking.cancelled': 'deleted',
      },
    },
    ticketed: { on: { 'booking.cancelled': 'deleted' } },
    expired: {},
    deleted: {},
  },
})

/** @param sendTicket what the effect of a confirmation does */
export function bookingEntity(
  sendTicket: Effect = async ({ key }) => ({ type: 'booking.ticket.sent', ticket: key }),
  options: Partial<EntityDefinition> = {},
): EntityDefinition {
  return defineEntity({
    type: 'booking',
    machine,
    events,
    claims: ({ value, context }) => {
      const { name } = context as unknown as BookingContext
      return ['made', 'confirmed', 'ticketed'].includes(String(value)) ? [{ kind: 'booking.name', key: name }] : []
    },
    references: ({ type, parent }) =>
      type === 'booking.made' && typeof parent === 'number' ? [{ type: 'booking', id: parent }] : [],
    effects: { sendTicket },
    ...options,
  })
}
