import type { events } from '../../../src/machines/conflict/events.ts'
import { no, type Table } from './table.ts'

export const conflict: Table<'absent' | 'open' | 'settling' | 'settled', typeof events> = {
  absent: {
    'conflict.opened': 'open',
    'conflict.absorbed': 'settled',
    'conflict.settled': no,
    'conflict.applied': no,
    'conflict.erased': no,
  },
  open: {
    'conflict.opened': no,
    'conflict.absorbed': no,
    // The loser's side is kept; the winner's needs no command (see the golden log).
    'conflict.settled': 'settling',
    'conflict.applied': no,
    'conflict.erased': 'settled',
  },
  settling: {
    'conflict.opened': no,
    'conflict.absorbed': no,
    'conflict.settled': no,
    'conflict.applied': 'settled',
    'conflict.erased': 'settled',
  },
  settled: {
    'conflict.opened': no,
    'conflict.absorbed': no,
    'conflict.settled': no,
    'conflict.applied': no,
    'conflict.erased': 'settled',
  },
}
