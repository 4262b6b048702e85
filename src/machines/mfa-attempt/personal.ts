/** What an attempt says of a person: from where it was made. */
import type { PersonalDefinition } from '../personal.ts'
import { userInRow } from '../user-owned.ts'

export const personal: PersonalDefinition = {
  subject: userInRow,
  fields: { 'mfa.attempted': { ipAddress: undefined } },
}
