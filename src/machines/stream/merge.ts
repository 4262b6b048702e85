/** Streams while the log is away: viewers and figures go on; going live, stopping and whose stream it is wait. */
import { counter, lww, type MergeRules, sumByNode } from '../merge-rules.ts'
import type { StreamContext } from './machine.ts'

/** Viewers and figures belong to one time on air. */
const endedBy = ['stream.stopped', 'stream.started', 'stream.deleted']

export const merge: MergeRules = {
  'viewer.joined': counter({ endedBy }),
  'viewer.left': counter({ endedBy }),
  'stream.viewers.updated': sumByNode(
    'viewers',
    ({ context }) => (context as unknown as StreamContext).row?.viewer_count ?? 0,
    { endedBy },
  ),
  'stream.stats.updated': lww(
    { bitrateKbps: 'last', resolution: 'last', fps: 'last', codec: 'last', bytesSent: 'max' },
    { endedBy },
  ),
}
