/** What happens to a broadcast. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { bytes, count, name, reference } from '../fields.ts'
import { broadcastRow } from './row.ts'

export const events = {
  // The time is the stream's, as it was stamped there.
  'broadcast.started': event(1, z.object({ streamId: reference, startedAt: z.string().max(40) }), { internal: true }),
  'broadcast.imported': event(1, z.object({ row: broadcastRow }), { internal: true }),
  'broadcast.progressed': event(1, z.object({ viewers: count, bytesSent: bytes })),
  'broadcast.recorded': event(1, z.object({ recordingPath: name(512) })),
  'broadcast.ended': event(
    1,
    z.object({
      totalViewers: count,
      peakViewers: count,
      bytesSent: bytes,
      endedAt: z.string().max(40),
      /** Meant for a broadcast of 24.2 alone. */
      imported: z.literal(true).optional(),
    }),
    { internal: true },
  ),
}

export type BroadcastEvent = MachineEvent<typeof events>
