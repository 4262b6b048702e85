/** What a trusted device says of a person. */
import type { PersonalDefinition } from '../personal.ts'
import { userInRow } from '../user-owned.ts'

export const personal: PersonalDefinition = {
  subject: userInRow,
  fields: {
    'device.trusted': { label: 'erased', deviceFingerprint: undefined },
    'device.revoked': { reason: undefined },
  },
}
