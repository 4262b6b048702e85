import type { events } from '../../../src/machines/ticket/events.ts'
import { no, type Table } from './table.ts'

export const ticket: Table<'absent' | 'open' | 'used' | 'voided' | 'expired', typeof events> = {
  absent: {
    'ticket.issued': 'open',
    'ticket.used': no,
    'ticket.voided': no,
    'ticket.expired': no,
  },
  open: {
    'ticket.issued': no,
    'ticket.used': 'used',
    'ticket.voided': 'voided',
    'ticket.expired': 'expired',
  },
  used: {
    'ticket.issued': no,
    'ticket.used': no,
    'ticket.voided': no,
    'ticket.expired': no,
  },
  voided: {
    'ticket.issued': no,
    'ticket.used': no,
    'ticket.voided': no,
    'ticket.expired': no,
  },
  expired: {
    'ticket.issued': no,
    'ticket.used': no,
    'ticket.voided': no,
    'ticket.expired': no,
  },
}
