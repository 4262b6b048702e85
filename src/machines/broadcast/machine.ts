/** One time on air, from start to stop; 24.2 calls it a stream session. */
import { assign, setup } from 'xstate'
import { secondsBetween } from '../fields.ts'
import { changed, type WithRow } from '../read-row.ts'
import type { BroadcastEvent } from './events.ts'
import type { BroadcastRow } from './row.ts'

export interface BroadcastContext extends WithRow<BroadcastRow> {
  readonly row: BroadcastRow | null
  /** Is a row of 24.2. */
  readonly imported: boolean
}

const base = setup({ types: {} as { context: BroadcastContext; events: BroadcastEvent } })

const record = base.createAction(
  assign(({ context, event }) =>
    event.type === 'broadcast.recorded'
      ? { row: changed(context.row, { is_recorded: true, recording_path: event.recordingPath }) }
      : context,
  ),
)

export const machine = base.createMachine({
  id: 'broadcast',
  context: { row: null, imported: false },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'broadcast.started': {
          target: 'live',
          actions: assign({
            row: ({ event }) => ({
              stream_id: event.streamId,
              session_start: event.startedAt,
              session_end: null,
              total_viewers: 0,
              peak_viewers: 0,
              total_bytes_sent: 0,
              duration_seconds: null,
              is_recorded: false,
              recording_path: null,
            }),
          }),
        },
        'broadcast.imported': [
          {
            guard: ({ event }) => event.row.session_end === null,
            target: 'live',
            actions: assign({ row: ({ event }) => event.row, imported: true }),
          },
          { target: 'ended', actions: assign({ row: ({ event }) => event.row, imported: true }) },
        ],
      },
    },
    live: {
      on: {
        'broadcast.progressed': {
          actions: assign({
            row: ({ context: { row }, event }) =>
              changed(row, {
                peak_viewers: Math.max(row?.peak_viewers ?? 0, event.viewers),
                total_viewers: Math.max(row?.total_viewers ?? 0, event.viewers),
                total_bytes_sent: Math.max(row?.total_bytes_sent ?? 0, event.bytesSent),
              }),
          }),
        },
        'broadcast.recorded': { actions: record },
        'broadcast.ended': {
          guard: ({ context, event }) => event.imported !== true || context.imported,
          target: 'ended',
          actions: assign({
            row: ({ context: { row }, event }) =>
              changed(row, {
                session_end: endAfter(row?.session_start ?? event.endedAt, event.endedAt),
                total_viewers: Math.max(row?.total_viewers ?? 0, event.totalViewers),
                peak_viewers: Math.max(row?.peak_viewers ?? 0, event.peakViewers),
                total_bytes_sent: Math.max(row?.total_bytes_sent ?? 0, event.bytesSent),
                duration_seconds: secondsBetween(row?.session_start ?? null, event.endedAt),
              }),
          }),
        },
      },
    },
    ended: { on: { 'broadcast.recorded': { actions: record } } },
  },
})

/**
 * The table demands an end after the start; a stream may stop in the millisecond in which it started. After a start at
 * `infinity`, which a row of 24.2 may have, there is no end.
 */
function endAfter(start: string, end: string): string | null {
  const earliest = Math.floor(Date.parse(start)) + 1
  if (Number.isNaN(earliest)) return start.startsWith('-') ? end : null
  return Date.parse(end) >= earliest ? end : new Date(earliest).toISOString()
}
