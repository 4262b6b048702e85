/** What happens to a user. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { name, text } from '../fields.ts'
import { userRow } from './row.ts'

const username = name(255)
// The check of the table: an address it would refuse is refused here, with a word why.
const email = text(255).regex(/^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/, 'not an email address')
const passwordHash = name(255)
const displayName = text(255).nullable()
const avatarUrl = text(512).nullable()

export const ROLES = ['admin', 'operator', 'viewer'] as const

export const events = {
  'user.registered': event(
    1,
    z.object({ username, email, passwordHash, displayName: displayName.optional(), avatarUrl: avatarUrl.optional() }),
  ),
  'user.imported': event(1, z.object({ row: userRow, exactNames: z.boolean().optional() }), { internal: true }),
  'user.verified': event(1, z.object({})),
  'user.updated': event(
    1,
    z
      .object({
        username: username.optional(),
        email: email.optional(),
        displayName: displayName.optional(),
        avatarUrl: avatarUrl.optional(),
      })
      .refine(changes => Object.values(changes).some(value => value !== undefined), 'names no field to change'),
  ),
  'user.password.changed': event(1, z.object({ passwordHash })),
  'user.login.recorded': event(1, z.object({})),
  'user.roles.changed': event(1, z.object({ roles: z.array(z.enum(ROLES)).max(ROLES.length) })),
  'user.deactivated': event(1, z.object({ reason: text(255).optional() })),
  'user.reactivated': event(1, z.object({})),
  'user.deleted': event(1, z.object({ reason: text(255).optional() })),
}

export type UserEvent = MachineEvent<typeof events>
