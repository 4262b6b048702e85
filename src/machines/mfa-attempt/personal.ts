/** What an attempt says of a person: from where it was made. */
import type { ActorState } from '../../core/state.ts'
import type { PersonalDefinition } from '../personal.ts'
import type { WithRow } from '../read-row.ts'
import type { AttemptRow } from './row.ts'

export const personal: PersonalDefinition = {
  subject: (_, { context }: ActorState) => (context as unknown as WithRow<AttemptRow>).row?.user_id ?? null,
  fields: { 'mfa.attempted': { ipAddress: undefined } },
}
