/** What happens to a stream. */
import { z } from 'zod'
import { event, type MachineEvent, unchanged } from '../define.ts'
import { bytes, count, name, reference, text } from '../fields.ts'
import { streamRow } from './row.ts'

const picture = {
  bitrateKbps: count.optional(),
  resolution: text(50).optional(),
  fps: count.optional(),
  codec: text(50).optional(),
}

export const events = {
  'stream.created': event(
    1,
    z.object({
      userId: reference,
      name: name(255),
      description: text(10_000).nullable().optional(),
      streamKey: name(512),
      streamUrl: text(512).nullable().optional(),
      thumbnailUrl: text(512).nullable().optional(),
      isPublic: z.boolean().optional(),
    }),
  ),
  'stream.imported': event(1, z.object({ row: streamRow }), { internal: true }),
  'stream.started': event(2, z.object(picture), {
    // Version 1 used the names of the 24.3 plan: {bitrate, resolution}.
    upcasters: { 1: ({ bitrate, ...rest }) => (bitrate === undefined ? rest : { ...rest, bitrateKbps: bitrate }) },
  }),
  'stream.stopped': event(1, z.object({ bytesSent: bytes.optional() })),
  'viewer.joined': event(1, z.object({ userId: reference.optional() })),
  'viewer.left': event(1, z.object({ userId: reference.optional() })),
  'stream.viewers.updated': event(
    2,
    // The most there were at a time since the stream went live, where someone has counted.
    z.object({ viewers: count, peakViewers: count.optional() }),
    { upcasters: { 1: unchanged } },
  ),
  'stream.stats.updated': event(
    1,
    z
      .object({ ...picture, bytesSent: bytes.optional() })
      .refine(stats => Object.values(stats).some(value => value !== undefined), 'names no figure'),
  ),
  'stream.renamed': event(1, z.object({ name: name(255) })),
  'stream.described': event(
    1,
    z
      .object({
        description: text(10_000).nullable().optional(),
        streamUrl: text(512).nullable().optional(),
        thumbnailUrl: text(512).nullable().optional(),
      })
      .refine(changes => Object.values(changes).some(value => value !== undefined), 'names no field to change'),
  ),
  'stream.visibility.changed': event(1, z.object({ isPublic: z.boolean() })),
  'stream.key.rotated': event(1, z.object({ streamKey: name(512) })),
  'stream.broadcast.opened': event(
    1,
    z.object({ broadcastId: reference, startedAt: z.string(), airing: z.string().max(60).optional() }),
    { internal: true },
  ),
  'stream.deleted': event(1, z.object({ reason: text(255).optional() })),
}

export type StreamEvent = MachineEvent<typeof events>
