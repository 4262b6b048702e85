import type { events } from '../../../src/machines/usage/events.ts'
import { no, type Table } from './table.ts'

export const usage: Table<'absent' | 'recorded', typeof events> = {
  absent: {
    'usage.recorded': 'recorded',
    'usage.imported': 'recorded',
  },
  recorded: {
    'usage.recorded': no,
    'usage.imported': no,
  },
}
