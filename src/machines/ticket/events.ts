/** What happens to a ticket. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { count, name, reference, text, timestamp } from '../fields.ts'

export const PURPOSES = ['email_verification', 'recovery', 'passkey_challenge', 'passkey_registration'] as const
export type Purpose = (typeof PURPOSES)[number]

export const events = {
  'ticket.issued': event(
    1,
    z.object({
      purpose: z.enum(PURPOSES),
      /** Never the secret: that is in the mail alone. */
      secretHash: name(512),
      expiresAt: timestamp,
      userId: reference.optional(),
      /** The user's `authEpoch`: void once that has moved on. */
      authEpoch: count.optional(),
      /** Keyed hash of the address it was sent to: void where the user has another by now. */
      addressHash: name(512).optional(),
      /** Session it was given to. */
      sessionId: reference.optional(),
    }),
  ),
  'ticket.used': event(1, z.object({})),
  'ticket.voided': event(1, z.object({ reason: text(255).optional() })),
  'ticket.expired': event(1, z.object({}), { internal: true }),
}

export type TicketEvent = MachineEvent<typeof events>
