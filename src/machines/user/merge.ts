/** Users while the log is away: profiles are edited, accounts are shut and roles are taken; names and grants wait. */
import type { ActorState } from '../../core/state.ts'
import { lattice, lww, type MergeRules, orSet } from '../merge-rules.ts'
import type { UserContext } from './machine.ts'

const roles = ({ context }: ActorState): readonly string[] => (context as unknown as UserContext).roles

export const merge: MergeRules = {
  'user.updated': lww(
    { username: 'keep-both', email: 'keep-both', displayName: 'keep-both', avatarUrl: 'last', keepVerified: 'last' },
    // Only the log knows whether a name is free.
    { accepts: (_, data) => data['username'] === undefined && data['email'] === undefined },
  ),
  'user.roles.changed': orSet('roles', roles, {
    wins: 'remove',
    accepts: (state, data) => Array.isArray(data['roles']) && data['roles'].every(role => roles(state).includes(role)),
  }),
  // Who was shut out somewhere stays out until somebody who knows of it lets them in.
  'user.deactivated': lattice(['active', 'deactivated', 'deleted', 'erasing', 'erased'], 'deactivated'),
}
