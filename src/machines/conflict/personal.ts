/** What a conflict says of a person: the data of both sides. */
import type { ActorState } from '../../core/state.ts'
import type { PersonalDefinition } from '../personal.ts'
import type { ConflictContext } from './machine.ts'

const given = () => ({})

export const personal: PersonalDefinition = {
  subject: (_, { context }: ActorState) => (context as unknown as ConflictContext).row?.subject ?? null,
  fields: {
    'conflict.opened': { given, loser: given, also: undefined },
    'conflict.absorbed': { given },
  },
}
