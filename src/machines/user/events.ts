/** What happens to a user. */
import { z } from 'zod'
import { event, type MachineEvent, unchanged } from '../define.ts'
import { name, reference, text, timestamp } from '../fields.ts'
import { userRow } from './row.ts'

const username = name(255)
// The check of the table: an address it would refuse is refused here, with a word why.
const email = text(255).regex(/^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/, 'not an email address')
const passwordHash = name(255)
/** What the user name looks like: no other may look the same. Names without any are compared by their letters alone. */
const skeletons = z.array(name(1_000)).max(2)
const displayName = text(255).nullable()
const avatarUrl = text(512).nullable()

export const ROLES = ['admin', 'operator', 'viewer'] as const
export type Role = (typeof ROLES)[number]

/** The most sessions a limit may allow: the open ones are kept in the user's state. */
export const MAX_OPEN_SESSIONS = 1_000

/** The one under which the password was shown: where another password was set meanwhile, it was shown in vain. */
const authEpoch = z.int().min(0)

const sessionLimit = z.int().min(1).max(MAX_OPEN_SESSIONS)

/** A session that begins, and the room there has to be for it. */
const opened = z.object({
  sessionId: reference,
  expiresAt: timestamp,
  limit: sessionLimit,
  /** What happens when as many are open: this one is refused, or the oldest makes room. */
  policy: z.enum(['refuse', 'revoke_oldest']),
  /** The user's when the password or factor was looked at: where it has changed since, nothing is opened. */
  authEpoch: authEpoch.optional(),
  /** What the limit was worked out from: where the user has other roles or another limit by now, nothing is opened. */
  limitOf: z
    .object({ roles: z.array(z.enum(ROLES)).max(ROLES.length), sessionLimit: sessionLimit.nullable() })
    .optional(),
  /** Sessions known to be over, which take no room. */
  ended: z.array(reference).max(MAX_OPEN_SESSIONS).optional(),
})

/** States in which nothing more is written of the person. */
export const ERASED: readonly string[] = ['erasing', 'erased']

/** After it, no key of the user is left. */
export const ERASURE_END = 'user.forgotten'

export const events = {
  'user.registered': event(
    2,
    z.object({
      username,
      email,
      passwordHash,
      displayName: displayName.optional(),
      avatarUrl: avatarUrl.optional(),
      skeletons: skeletons.optional(),
    }),
    { upcasters: { 1: unchanged } },
  ),
  'user.imported': event(1, z.object({ row: userRow, exactNames: z.boolean().optional() }), { internal: true }),
  'user.verified': event(1, z.object({})),
  'user.updated': event(
    2,
    z
      .object({
        username: username.optional(),
        /** Of the user name. */
        skeletons: skeletons.optional(),
        email: email.optional(),
        displayName: displayName.optional(),
        avatarUrl: avatarUrl.optional(),
        /** Of a new address: it is known to be the user's. */
        keepVerified: z.boolean().optional(),
      })
      .refine(changes => Object.values(changes).some(value => value !== undefined), 'names no field to change'),
    // Under version 1 a new address took over whether the old one was verified.
    { upcasters: { 1: data => (data['email'] === undefined ? data : { ...data, keepVerified: true }) } },
  ),
  // Ends all sessions of the user but the one named.
  'user.password.changed': event(
    2,
    z.object({
      passwordHash,
      keepSession: reference.optional(),
      authEpoch: authEpoch.optional(),
    }),
    { upcasters: { 1: unchanged } },
  ),
  // The same password under newer parameters.
  'user.password.rehashed': event(1, z.object({ passwordHash, authEpoch: authEpoch.optional() })),
  'user.login.recorded': event(2, z.object({ opened: opened.optional() }), { upcasters: { 1: unchanged } }),
  'user.sessions.ended': event(1, z.object({ keepSession: reference.optional(), reason: text(255).optional() })),
  'user.sessions.limited': event(1, z.object({ limit: sessionLimit.nullable() })),
  'user.roles.changed': event(1, z.object({ roles: z.array(z.enum(ROLES)).max(ROLES.length) })),
  'user.deactivated': event(1, z.object({ reason: text(255).optional() })),
  'user.reactivated': event(1, z.object({})),
  'user.deleted': event(1, z.object({ reason: text(255).optional() })),
  // From here on nothing of the person is kept: what the log has is made unreadable.
  'user.erased': event(1, z.object({})),
  [ERASURE_END]: event(1, z.object({}), { internal: true }),
}

export type UserEvent = MachineEvent<typeof events>
