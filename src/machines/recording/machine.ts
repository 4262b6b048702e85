/** The life of a recording: available, withdrawn and back, expired when its time is up, deleted for good. */
import { assign, cancel, enqueueActions, setup } from 'xstate'
import { msUntil } from '../fields.ts'
import { changed, type WithRow } from '../read-row.ts'
import type { RecordingEvent } from './events.ts'
import type { RecordingRow } from './row.ts'

export interface RecordingContext extends WithRow<RecordingRow> {
  readonly row: RecordingRow | null
}

const base = setup({
  types: {} as { context: RecordingContext; events: RecordingEvent },
  delays: { expiry: ({ context, event }) => msUntil(context.row?.expires_at ?? null, event.at) },
})

/** Sets the timer where there is an end to wait for, and takes it back where there is none. */
const watchExpiry = base.createAction(
  enqueueActions(({ context, enqueue }) => {
    if (context.row?.expires_at === null) enqueue.cancel('expiry')
    else enqueue.raise({ type: 'recording.expired', at: '' }, { id: 'expiry', delay: 'expiry' })
  }),
)

const complete = base.createAction(
  assign(({ context, event }) => {
    switch (event.type) {
      case 'recording.completed':
        return {
          row: changed(context.row, { file_size_bytes: event.fileSizeBytes, duration_seconds: event.durationSeconds }),
        }
      case 'recording.processed':
        return { row: changed(context.row, { is_processed: true }) }
      case 'recording.retention.changed':
        return {
          row: changed(context.row, {
            expires_at: event.expiresAt === null ? null : new Date(event.expiresAt).toISOString(),
          }),
        }
      default:
        return context
    }
  }),
)

const setAvailable = (available: boolean) =>
  base.createAction(assign({ row: ({ context }) => changed(context.row, { is_available: available }) }))

const kept = {
  'recording.completed': { actions: complete },
  'recording.processed': { actions: complete },
  'recording.retention.changed': { actions: [complete, watchExpiry] },
  'recording.expired': { target: 'expired', actions: setAvailable(false) },
  'recording.deleted': 'deleted',
} as const

export const machine = base.createMachine({
  id: 'recording',
  context: { row: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'recording.created': {
          target: 'available',
          actions: [
            assign({
              row: ({ event }) => ({
                stream_id: event.streamId,
                session_id: event.broadcastId,
                file_path: event.filePath,
                file_size_bytes: null,
                duration_seconds: null,
                codec: event.codec ?? null,
                resolution: event.resolution ?? null,
                fps: event.fps ?? null,
                bitrate_kbps: event.bitrateKbps ?? null,
                is_processed: false,
                is_available: true,
                created_at: event.at,
                expires_at: event.expiresAt === undefined ? null : new Date(event.expiresAt).toISOString(),
              }),
            }),
            watchExpiry,
          ],
        },
        'recording.imported': [
          {
            guard: ({ event }) => event.row.is_available === true,
            target: 'available',
            actions: [assign({ row: ({ event }) => event.row }), watchExpiry],
          },
          { target: 'withdrawn', actions: [assign({ row: ({ event }) => event.row }), watchExpiry] },
        ],
      },
    },
    available: { on: { ...kept, 'recording.withdrawn': { target: 'withdrawn', actions: setAvailable(false) } } },
    withdrawn: { on: { ...kept, 'recording.restored': { target: 'available', actions: setAvailable(true) } } },
    expired: { entry: cancel('expiry'), on: { 'recording.deleted': 'deleted' } },
    deleted: { entry: cancel('expiry') },
  },
})
