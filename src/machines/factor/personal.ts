/** What the events of a factor say of a person: an address or secret, and how a key is called. */
import type { PersonalDefinition } from '../personal.ts'
import { userInRow } from '../user-owned.ts'

const secret = 'erased'
/** Its id, which is random, stays: it tells keys apart. */
const passkey = { 'passkey.label': 'erased', 'passkey.publicKey': 'erased' }

export const personal: PersonalDefinition = {
  subject: userInRow,
  fields: {
    'factor.enrolled': { secret, ...passkey },
    'factor.passkey.added': passkey,
    'factor.passkey.renamed': { label: 'erased' },
    'factor.resealed': { secret },
    'factor.removed': { reason: undefined },
  },
}
