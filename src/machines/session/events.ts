/** What happens to a session. */
import { z } from 'zod'
import { event, type MachineEvent, unchanged } from '../define.ts'
import { count, ipAddress, name, reference, text, timestamp } from '../fields.ts'
import { sessionRow } from './row.ts'

// Never the token itself: whoever reads the log or the table must not be able to use it.
const tokenHash = name(512)

/** How somebody showed who they are. */
export const METHODS = [
  'password',
  'totp',
  'email',
  'sms',
  'passkey',
  'backup_code',
  'trusted_device',
  'remembered',
] as const
export type Method = (typeof METHODS)[number]

/** What of the client is compared later. */
export const clientFields = {
  deviceId: text(255).optional(),
  /** A hash of what the client said of its device. */
  deviceFingerprint: text(255).optional(),
  userAgent: text(2_000).optional(),
  ipAddress: ipAddress.optional(),
  geoLocation: text(100).optional(),
}

/** The rotating token of a session that is remembered; all tokens of one session share the family. */
const remember = z.object({ familyHash: tokenHash, tokenHash })

export const events = {
  'session.created': event(
    2,
    z.object({
      userId: reference,
      tokenHash,
      ...clientFields,
      expiresAt: timestamp,
      /** Ends the token alone: a remembered session goes on by a new one. */
      tokenExpiresAt: timestamp.optional(),
      idleMs: count.optional(),
      methods: z.array(z.enum(METHODS)).max(METHODS.length).optional(),
      /** A factor is still to be shown, and the token opens nothing else. */
      pending: z.boolean().optional(),
      remember: remember.optional(),
      /** Of a pending session: it is to be remembered once it is a real one. */
      wantsRemember: z.boolean().optional(),
      /** The user's when the password was looked at. */
      authEpoch: count.optional(),
    }),
    { upcasters: { 1: unchanged } },
  ),
  'session.imported': event(1, z.object({ row: sessionRow }), { internal: true }),
  // A pending session becomes a real one, under a new token.
  'session.authenticated': event(
    1,
    z.object({
      tokenHash,
      method: z.enum(METHODS),
      expiresAt: timestamp,
      tokenExpiresAt: timestamp.optional(),
      idleMs: count.optional(),
      remember: remember.optional(),
    }),
  ),
  // A factor was shown again, and the token is a new one. A challenged session is bound to the client that showed it.
  // A remembered one has another family of tokens too.
  'session.elevated': event(
    2,
    z.object({ tokenHash, method: z.enum(METHODS), remember: remember.optional(), ...clientFields }),
    { upcasters: { 1: unchanged } },
  ),
  // It may do nothing but show a factor.
  'session.challenged': event(1, z.object({ reason: text(255) })),
  'session.moved': event(1, z.object(clientFields)),
  'session.refreshed': event(
    2,
    z.object({
      expiresAt: timestamp,
      tokenHash: tokenHash.optional(),
      tokenExpiresAt: timestamp.optional(),
      rememberHash: tokenHash.optional(),
      /** The token that was shown for it, which has to be the newest of its kind. */
      replacesHash: tokenHash.optional(),
    }),
    { upcasters: { 1: unchanged } },
  ),
  // `seenAt`: when it was last in use, where that is not just now.
  'session.touched': event(2, z.object({ ipAddress: ipAddress.optional(), seenAt: timestamp.optional() }), {
    upcasters: { 1: unchanged },
  }),
  'session.closed': event(1, z.object({})),
  'session.revoked': event(1, z.object({ reason: text(255).optional() })),
  'session.expired': event(1, z.object({}), { internal: true }),
  // Its user was erased: where and on what it was used is forgotten.
  'session.erased': event(1, z.object({}), { internal: true }),
}

export type SessionEvent = MachineEvent<typeof events>
