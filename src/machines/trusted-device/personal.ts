/** What a trusted device says of a person. */
import type { ActorState } from '../../core/state.ts'
import type { PersonalDefinition } from '../personal.ts'
import type { DeviceContext } from './machine.ts'

export const personal: PersonalDefinition = {
  subject: (_, { context }: ActorState) => (context as unknown as DeviceContext).row?.user_id ?? null,
  fields: {
    'device.trusted': { label: 'erased', deviceFingerprint: undefined },
    'device.revoked': { reason: undefined },
  },
}
