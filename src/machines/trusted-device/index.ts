/** Trusted devices: one actor for each device on which a user need not show a second factor for a while. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

export const trustedDevice = defineEntity({
  type: 'trusted-device',
  machine,
  events,
  view: rowView('trusted_devices', columns, ['absent', 'revoked', 'expired']),
  references: userNamedIn('device.trusted'),
  goneIn: ['revoked', 'expired'],
  personal,
  stateVersion: 2,
})
