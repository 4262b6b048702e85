/** Passkeys as they go over the wire. */
import { z } from 'zod'
import type { Assertion, Attestation } from '../../../accounts/passkeys.ts'
import { label } from '../../input.ts'

const base64url = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, 'not base64url')

export const passkeyId = base64url(1_364)
export const passkeyLabel = label.describe('For the user to know it by.')

// What `PublicKeyCredential.toJSON()` gives has more, which is let through unread.
export const attestation = z
  .object({
    id: passkeyId,
    response: z.object({
      clientDataJSON: base64url(8_192),
      attestationObject: base64url(16_384),
      transports: z.array(z.string().min(1).max(20)).max(10).optional(),
    }),
  })
  .describe('`PublicKeyCredential.toJSON()` of `navigator.credentials.create`.')
export const assertion = z
  .object({
    id: passkeyId,
    response: z.object({
      clientDataJSON: base64url(8_192),
      authenticatorData: base64url(8_192),
      signature: base64url(2_048),
      userHandle: base64url(128).nullish(),
    }),
  })
  .describe('`PublicKeyCredential.toJSON()` of `navigator.credentials.get`.')

const descriptors = z.array(
  z.object({ id: z.string(), type: z.literal('public-key'), transports: z.array(z.string()).optional() }),
)
export const creationOptions = z.looseObject({
  challenge: z.string(),
  rp: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
  excludeCredentials: descriptors,
})
export const requestOptions = z.looseObject({
  challenge: z.string(),
  rpId: z.string(),
  allowCredentials: descriptors.optional(),
})

export const shownPasskey = z.object({
  id: z.string(),
  label: z.string(),
  transports: z.array(z.string()),
  backedUp: z.boolean().describe('Kept in more places than one device.'),
  doubted: z.boolean().describe('Its counter did not grow once: there may be a copy of it.'),
  addedAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
})

export function attestationOf({ id, response }: z.output<typeof attestation>): Attestation {
  return { id, ...response }
}

export function assertionOf({ id, response: { userHandle, ...response } }: z.output<typeof assertion>): Assertion {
  // Authenticators of a factor alone keep no user, which browsers tell by null.
  return { id, ...response, ...(userHandle === null ? {} : { userHandle }) }
}
