/** An attempt to show a factor: written once, changed by nothing but an erasure. */
import { assign, setup } from 'xstate'
import { changed, type WithRow } from '../read-row.ts'
import type { AttemptEvent } from './events.ts'
import type { AttemptRow } from './row.ts'

interface AttemptContext extends WithRow<AttemptRow> {
  readonly row: AttemptRow | null
}

export const machine = setup({ types: {} as { context: AttemptContext; events: AttemptEvent } }).createMachine({
  id: 'mfa-attempt',
  context: { row: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'mfa.attempted': {
          target: 'recorded',
          actions: assign({
            row: ({ event }) => ({
              user_id: event.userId,
              method: event.method,
              success: event.success,
              ip_address: event.ipAddress ?? null,
              attempted_at: event.at,
            }),
          }),
        },
      },
    },
    recorded: {
      on: {
        'mfa.attempt.erased': { actions: assign({ row: ({ context }) => changed(context.row, { ip_address: null }) }) },
      },
    },
  },
})
