import type { events } from '../../../src/machines/mfa-attempt/events.ts'
import { no, type Table } from './table.ts'

export const mfaAttempt: Table<'absent' | 'recorded', typeof events> = {
  absent: {
    'mfa.attempted': 'recorded',
    'mfa.attempt.erased': no,
  },
  recorded: {
    'mfa.attempted': no,
    'mfa.attempt.erased': 'recorded',
  },
}
