/** What happens to a second factor of a user. */
import { z } from 'zod'
import { event, type MachineEvent } from '../define.ts'
import { name, reference, text, timestamp } from '../fields.ts'

/** How a factor is shown; a user has at most one of each. */
export const FACTOR_METHODS = ['totp', 'email', 'sms', 'passkey', 'backup_codes'] as const
export type FactorMethod = (typeof FACTOR_METHODS)[number]

export const MAX_BACKUP_CODES = 20
export const MAX_PASSKEYS = 20

// Never in the clear: sealed under the key ring, or a hash.
const sealed = name(2_000)
const hash = name(512)

/** 32 bits without a sign. */
const counter = z.int().min(0).max(4_294_967_295)

export const passkey = z.object({
  /** Base64url. */
  id: name(1_400),
  publicKey: name(2_000),
  counter,
  transports: z.array(name(20)).max(10),
  label: text(100),
  /** Whether it may be copied between devices. */
  backedUp: z.boolean(),
})
export type Passkey = z.output<typeof passkey>

export const events = {
  'factor.enrolled': event(
    1,
    z.object({
      userId: reference,
      method: z.enum(FACTOR_METHODS),
      /** Of TOTP the secret, of email and SMS the address; sealed. */
      secret: sealed.optional(),
      /** Hashes of backup codes. */
      backupCodes: z.array(hash).max(MAX_BACKUP_CODES).optional(),
      passkey: passkey.optional(),
    }),
  ),
  'factor.confirmed': event(1, z.object({ step: z.int().min(0).optional(), codeHash: hash.optional() })),
  // Of TOTP: a step counts once, and none counts after a later one.
  'factor.step.used': event(1, z.object({ step: z.int().min(0) })),
  'factor.code.sent': event(1, z.object({ codeHash: hash, expiresAt: timestamp })),
  'factor.code.used': event(1, z.object({ codeHash: hash })),
  // A wrong one-time code: the code that was sent is void after a few, an authenticator app after many.
  'factor.code.missed': event(1, z.object({})),
  'factor.backup.used': event(1, z.object({ codeHash: hash })),
  'factor.backup.replaced': event(1, z.object({ backupCodes: z.array(hash).min(1).max(MAX_BACKUP_CODES) })),
  'factor.passkey.added': event(1, z.object({ passkey })),
  'factor.passkey.used': event(1, z.object({ id: name(1_400), counter, backedUp: z.boolean().optional() })),
  // It signed, but its counter did not grow: there may be a copy of it.
  'factor.passkey.doubted': event(1, z.object({ id: name(1_400), counter })),
  'factor.passkey.renamed': event(1, z.object({ id: name(1_400), label: text(100) })),
  'factor.passkey.removed': event(1, z.object({ id: name(1_400) })),
  // The same secret under a newer key.
  'factor.resealed': event(1, z.object({ secret: sealed })),
  'factor.removed': event(1, z.object({ reason: text(255).optional() })),
}

export type FactorEvent = MachineEvent<typeof events>
