/** What happens to a device on which a user need not show a second factor. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { count, name, reference, text, timestamp } from '../fields.ts'

const tokenHash = name(512)

export const events = {
  'device.trusted': event(
    1,
    z.object({
      userId: reference,
      /** The part that all its tokens share: who shows it had one of them. */
      familyHash: tokenHash,
      tokenHash,
      /** The user's `authEpoch` and a hash of the factors: the trust is void once either is another. */
      authEpoch: count,
      factorsHash: name(512),
      label: text(255),
      deviceFingerprint: text(255).optional(),
      expiresAt: timestamp,
    }),
  ),
  // Its token is a new one each time: the one that was shown is good for it once.
  'device.used': event(1, z.object({ shownHash: tokenHash, tokenHash })),
  'device.revoked': event(1, z.object({ reason: text(255).optional() })),
  'device.expired': event(1, z.object({}), { internal: true }),
}

export type DeviceEvent = MachineEvent<typeof events>
