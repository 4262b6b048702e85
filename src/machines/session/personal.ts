/** What the events of a session say of a person: where and on what it is used. */
import type { PersonalDefinition } from '../personal.ts'
import { userInRow } from '../user-owned.ts'

const client = {
  deviceId: undefined,
  deviceFingerprint: undefined,
  userAgent: undefined,
  ipAddress: undefined,
  geoLocation: undefined,
}
const reason = undefined

export const personal: PersonalDefinition = {
  subject: userInRow,
  fields: {
    'session.created': client,
    'session.imported': { 'row.device_id': null, 'row.user_agent': null, 'row.ip_address': null },
    'session.challenged': { reason: 'erased' },
    'session.moved': client,
    'session.elevated': client,
    'session.touched': { ipAddress: undefined },
    'session.revoked': { reason },
  },
}
