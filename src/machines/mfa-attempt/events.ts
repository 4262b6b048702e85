/** What happens in an attempt to show a factor. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { ipAddress, reference } from '../fields.ts'
import { METHODS } from '../session/events.ts'

export const events = {
  'mfa.attempted': event(
    1,
    z.object({
      userId: reference,
      method: z.enum(METHODS),
      success: z.boolean(),
      ipAddress: ipAddress.optional(),
    }),
  ),
  // Its user was erased.
  'mfa.attempt.erased': event(1, z.object({}), { internal: true }),
}

export type AttemptEvent = MachineEvent<typeof events>
