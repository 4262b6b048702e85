/** What a ticket says of a person: a keyed hash of an address. */
import type { ActorState } from '../../core/state.ts'
import type { PersonalDefinition } from '../personal.ts'
import type { TicketContext } from './machine.ts'

export const personal: PersonalDefinition = {
  subject: (_, { context }: ActorState) => (context as unknown as TicketContext).userId,
  fields: { 'ticket.issued': { addressHash: undefined }, 'ticket.voided': { reason: undefined } },
}
