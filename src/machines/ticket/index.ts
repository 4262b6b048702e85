/** Tickets: secrets that are handed out to be shown once, to verify an address, to recover an account, to answer a challenge. */
import { defineEntity } from '../define.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { personal } from './personal.ts'

export const ticket = defineEntity({
  type: 'ticket',
  machine,
  events,
  references: userNamedIn('ticket.issued'),
  goneIn: ['used', 'voided', 'expired'],
  personal,
  passivateAfterMs: 30_000,
})
