/** What happens to a recording. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { count, name, reference, text, timestamp } from '../fields.ts'
import { recordingRow } from './row.ts'

export const events = {
  'recording.created': event(
    1,
    z.object({
      streamId: reference,
      broadcastId: reference,
      filePath: name(512),
      codec: text(50).optional(),
      resolution: text(50).optional(),
      fps: count.optional(),
      bitrateKbps: count.optional(),
      expiresAt: timestamp.optional(),
    }),
  ),
  'recording.imported': event(1, z.object({ row: recordingRow }), { internal: true }),
  'recording.completed': event(1, z.object({ fileSizeBytes: z.int().min(1), durationSeconds: count })),
  'recording.processed': event(1, z.object({})),
  'recording.retention.changed': event(1, z.object({ expiresAt: timestamp.nullable() })),
  'recording.withdrawn': event(1, z.object({ reason: text(255).optional() })),
  'recording.restored': event(1, z.object({})),
  'recording.expired': event(1, z.object({}), { internal: true }),
  'recording.deleted': event(1, z.object({ reason: text(255).optional() })),
}

export type RecordingEvent = MachineEvent<typeof events>
