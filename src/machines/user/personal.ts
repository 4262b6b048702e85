/** What the events of a user say of a person. */
import type { PersonalDefinition } from '../personal.ts'

/** Each table of users takes them, and no two users have the same. */
const username = (user: number) => `erased-${user}`
const email = (user: number) => `erased-${user}@erased.invalid`
/** Of no password. */
const passwordHash = 'erased'
/** Of a user name. */
const skeletons = undefined
const names = { username, skeletons, email, displayName: null, avatarUrl: null }
/** People enter it. */
const reason = undefined

export const personal: PersonalDefinition = {
  subject: id => id,
  fields: {
    'user.registered': { ...names, passwordHash },
    'user.imported': {
      'row.username': username,
      'row.email': email,
      'row.password_hash': passwordHash,
      'row.display_name': null,
      'row.avatar_url': null,
    },
    'user.updated': names,
    'user.password.changed': { passwordHash },
    'user.password.rehashed': { passwordHash },
    'user.sessions.ended': { reason },
    'user.deactivated': { reason },
    'user.deleted': { reason },
  },
}
