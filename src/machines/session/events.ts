/** What happens to a session. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { ipAddress, name, reference, text, timestamp } from '../fields.ts'
import { sessionRow } from './row.ts'

// Never the token itself: whoever reads the log or the table must not be able to use it.
const tokenHash = name(512)

export const events = {
  'session.created': event(
    1,
    z.object({
      userId: reference,
      tokenHash,
      deviceId: text(255).optional(),
      userAgent: text(2_000).optional(),
      ipAddress: ipAddress.optional(),
      expiresAt: timestamp,
    }),
  ),
  'session.imported': event(1, z.object({ row: sessionRow }), { internal: true }),
  'session.refreshed': event(1, z.object({ expiresAt: timestamp, tokenHash: tokenHash.optional() })),
  'session.touched': event(1, z.object({ ipAddress: ipAddress.optional() })),
  'session.closed': event(1, z.object({})),
  'session.revoked': event(1, z.object({ reason: text(255).optional() })),
  'session.expired': event(1, z.object({}), { internal: true }),
}

export type SessionEvent = MachineEvent<typeof events>
