/** Trusted devices: one actor for each device on which a user need not show a second factor for a while. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

const view = rowView('trusted_devices', columns, ['absent', 'revoked', 'expired'])

export const trustedDevice = defineEntity({
  type: 'trusted-device',
  machine,
  events,
  view: { ...view, columns: { ...view.columns, id: 'bigint' } },
  references: ({ type, userId }) => (type === 'device.trusted' ? [{ type: 'user', id: Number(userId) }] : []),
  goneIn: ['revoked', 'expired'],
  personal,
  stateVersion: 2,
})
