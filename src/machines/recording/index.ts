/** Recordings: files of broadcasts, and how long they are kept. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { columns } from './row.ts'

export const recording = defineEntity({
  type: 'recording',
  machine,
  events,
  view: rowView('recordings', columns),
  references: ({ type, streamId, broadcastId }) =>
    type === 'recording.created'
      ? [
          { type: 'stream', id: Number(streamId) },
          { type: 'broadcast', id: Number(broadcastId) },
        ]
      : [],
  maxId: MAX_INT4,
})
