/** What is used, and billed. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { bytes, count, reference } from '../fields.ts'
import { usageRow } from './row.ts'

export const events = {
  'usage.recorded': event(
    1,
    z.object({
      userId: reference,
      streamId: reference.optional(),
      eventType: z.enum(['stream_start', 'stream_end', 'viewer_join', 'viewer_leave']),
      bytesTransferred: bytes.optional(),
      durationSeconds: count.optional(),
    }),
  ),
  'usage.imported': event(1, z.object({ row: usageRow }), { internal: true }),
}

export type UsageEvent = MachineEvent<typeof events>
