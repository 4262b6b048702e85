import type { events } from '../../../src/machines/trusted-device/events.ts'
import { no, type Table } from './table.ts'

export const trustedDevice: Table<'absent' | 'trusted' | 'revoked' | 'expired', typeof events> = {
  absent: {
    'device.trusted': 'trusted',
    'device.used': no,
    'device.revoked': no,
    'device.expired': no,
  },
  trusted: {
    'device.trusted': no,
    'device.used': 'trusted',
    'device.revoked': 'revoked',
    'device.expired': 'expired',
  },
  revoked: {
    'device.trusted': no,
    'device.used': no,
    'device.revoked': no,
    'device.expired': no,
  },
  expired: {
    'device.trusted': no,
    'device.used': no,
    'device.revoked': no,
    'device.expired': no,
  },
}
