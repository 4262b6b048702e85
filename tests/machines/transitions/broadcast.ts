import type { events } from '../../../src/machines/broadcast/events.ts'
import { no, type Table } from './table.ts'

export const broadcast: Table<'absent' | 'live' | 'ended', typeof events> = {
  absent: {
    'broadcast.started': 'live',
    'broadcast.imported': 'ended',
    'broadcast.progressed': no,
    'broadcast.recorded': no,
    'broadcast.ended': no,
  },
  live: {
    'broadcast.started': no,
    'broadcast.imported': no,
    'broadcast.progressed': 'live',
    'broadcast.recorded': 'live',
    'broadcast.ended': 'ended',
  },
  ended: {
    'broadcast.started': no,
    'broadcast.imported': no,
    'broadcast.progressed': no,
    'broadcast.recorded': 'ended',
    'broadcast.ended': no,
  },
}
