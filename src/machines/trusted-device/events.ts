/** What happens to a device on which a user need not show a second factor. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { name, reference, text, timestamp } from '../fields.ts'

const tokenHash = name(512)

export const events = {
  'device.trusted': event(
    1,
    z.object({
      userId: reference,
      tokenHash,
      label: text(255),
      deviceFingerprint: text(255).optional(),
      expiresAt: timestamp,
    }),
  ),
  // Its token is a new one each time.
  'device.used': event(1, z.object({ tokenHash })),
  'device.revoked': event(1, z.object({ reason: text(255).optional() })),
  'device.expired': event(1, z.object({}), { internal: true }),
}

export type DeviceEvent = MachineEvent<typeof events>
