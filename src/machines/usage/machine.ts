/** One entry of usage: written once, never changed. */
import { assign, setup } from 'xstate'
import type { WithRow } from '../read-row.ts'
import type { UsageEvent } from './events.ts'
import type { UsageRow } from './row.ts'

export interface UsageContext extends WithRow<UsageRow> {
  readonly row: UsageRow | null
}

export const machine = setup({ types: {} as { context: UsageContext; events: UsageEvent } }).createMachine({
  id: 'usage',
  context: { row: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'usage.recorded': {
          target: 'recorded',
          actions: assign({
            row: ({ event }) => ({
              user_id: event.userId,
              stream_id: event.streamId ?? null,
              event_type: event.eventType,
              bytes_transferred: event.bytesTransferred ?? 0,
              duration_seconds: event.durationSeconds ?? 0,
              created_at: event.at,
            }),
          }),
        },
        'usage.imported': { target: 'recorded', actions: assign({ row: ({ event }) => event.row }) },
      },
    },
    recorded: {},
  },
})
