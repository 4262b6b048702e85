/** WebAuthn ceremonies (W3C, Level 3): what a browser is asked, and whether what it answers is right. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { COSEALG, decodeAttestationObject, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers'

export type { PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON }

/** The site that passkeys belong to. */
export interface RelyingParty {
  /** A domain: keys of it work on its hosts and nowhere else. */
  readonly id: string
  /** Shown by browsers. */
  readonly name: string
  readonly origins: readonly string[]
}

/** How to reach an authenticator: hints of it, passed back as they came. */
type Transports = readonly string[]

export interface KnownPasskey {
  /** Base64url, as `publicKey`. */
  readonly id: string
  readonly publicKey: string
  readonly transports: Transports
}

/** As `PublicKeyCredential.toJSON()` gives it, the parts that are looked at. Texts are base64url. */
export interface Attestation {
  readonly id: string
  readonly clientDataJSON: string
  readonly attestationObject: string
  readonly transports?: Transports | undefined
}

export interface Assertion {
  readonly id: string
  readonly clientDataJSON: string
  readonly authenticatorData: string
  readonly signature: string
  readonly userHandle?: string | undefined
}

export interface NewPasskey {
  readonly id: string
  readonly publicKey: string
  readonly counter: number
  readonly transports: Transports
  readonly backedUp: boolean
}

export interface VerifiedAssertion {
  /** To be compared with the last one by whoever keeps it: nothing here remembers any. */
  readonly counter: number
  readonly backedUp: boolean
}

const ALGORITHMS = [COSEALG.EdDSA, COSEALG.ES256, COSEALG.RS256]
/** Of RSA, by NIST SP 800-131A. */
const MIN_MODULUS_BYTES = 256
const MAX_KEY_BYTES = 1_400
/** 65537. */
const RSA_EXPONENT = 'AQAB'
const TIMEOUT_MS = 300_000

export function registrationOptions(
  party: RelyingParty,
  challenge: string,
  user: { readonly handle: string; readonly name: string; readonly displayName: string },
  known: readonly KnownPasskey[],
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  return generateRegistrationOptions({
    rpID: party.id,
    rpName: party.name,
    challenge,
    userID: new TextEncoder().encode(user.handle),
    userName: user.name,
    userDisplayName: user.displayName,
    timeout: TIMEOUT_MS,
    attestationType: 'none',
    excludeCredentials: known.map(descriptor),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    supportedAlgorithmIDs: ALGORITHMS,
  })
}

/** @param known those that may answer; none where the user is not known yet */
export function assertionOptions(
  party: RelyingParty,
  challenge: string,
  known: readonly KnownPasskey[],
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  return generateAuthenticationOptions({
    rpID: party.id,
    challenge,
    timeout: TIMEOUT_MS,
    userVerification: 'required',
    ...(known.length === 0 ? {} : { allowCredentials: known.map(descriptor) }),
  })
}

function descriptor({ id, transports }: KnownPasskey) {
  // A hint this code does not know yet is still one for the browser.
  return { id, transports: [...transports] as NonNullable<RegistrationResponseJSON['response']['transports']> }
}

/** The challenge an answer claims to be for, or undefined where it has none. It says nothing of whether the answer is right. */
export function challengeOf({ clientDataJSON }: Attestation | Assertion): string | undefined {
  try {
    const { challenge, crossOrigin } = clientData(clientDataJSON)
    // Of a page within a page of another site: a click there may have meant something else.
    return typeof challenge === 'string' && crossOrigin !== true
      ? Buffer.from(challenge, 'base64url').toString()
      : undefined
  } catch {
    return undefined
  }
}

/** Undefined where anything is wrong with it. */
export async function verifyAttestation(
  party: RelyingParty,
  challenge: string,
  { id, clientDataJSON, attestationObject, transports = [] }: Attestation,
): Promise<NewPasskey | undefined> {
  try {
    if (!isPlain(attestationObject)) return undefined
    const { registrationInfo } = await verifyRegistrationResponse({
      response: {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: { clientDataJSON, attestationObject },
      },
      expectedChallenge: encoded(challenge),
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    })
    if (registrationInfo === undefined) return undefined
    const { credential, credentialBackedUp } = registrationInfo
    if (credential.id !== id || !isSound(credential.publicKey)) return undefined
    const publicKey = Buffer.from(credential.publicKey).toString('base64url')
    return { id, publicKey, counter: credential.counter, transports, backedUp: credentialBackedUp }
  } catch {
    // The library throws at whatever is wrong, and so do its decoders.
    return undefined
  }
}

/** Undefined where anything is wrong with it; the counter is left to the caller. */
export async function verifyAssertion(
  party: RelyingParty,
  challenge: string,
  { id, ...response }: Assertion,
  passkey: KnownPasskey,
): Promise<VerifiedAssertion | undefined> {
  try {
    const { clientDataJSON, authenticatorData, signature } = response
    const given: AuthenticationResponseJSON['response'] = { clientDataJSON, authenticatorData, signature }
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response: given },
      expectedChallenge: encoded(challenge),
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      credential: { id: passkey.id, publicKey: bytesOf(passkey.publicKey), counter: 0 },
      requireUserVerification: true,
    })
    if (!verified || id !== passkey.id) return undefined
    return { counter: authenticationInfo.newCounter, backedUp: authenticationInfo.credentialBackedUp }
  } catch {
    return undefined
  }
}

/**
 * What is signed by nobody or by the key itself. Attestations by certificates were not asked for, and are not looked into:
 * their chains name addresses from which lists of revoked ones would be fetched.
 */
function isPlain(attestationObject: string): boolean {
  const decoded = decodeAttestationObject(bytesOf(attestationObject))
  const format = decoded.get('fmt')
  return format === 'none' || (format === 'packed' && decoded.get('attStmt').get('x5c') === undefined)
}

/** A key that could never have signed would lock its user out: decoders of CBOR pass over missing bytes. */
function isSound(publicKey: Uint8Array): boolean {
  const jwk = jwkOf(decodeCredentialPublicKey(bytes(publicKey)) as Map<number, unknown>)
  if (jwk === undefined || Object.values(jwk).includes('') || publicKey.length > MAX_KEY_BYTES) return false
  // Throws where it is no point of the curve.
  createPublicKey({ key: jwk, format: 'jwk' })
  return true
}

/** By RFC 9053 and RFC 8230, of the algorithms that are offered. */
function jwkOf(cose: ReadonlyMap<number, unknown>): JsonWebKey | undefined {
  const [type, algorithm, first, second, third] = [1, 3, -1, -2, -3].map(label => cose.get(label))
  if (type === 2 && algorithm === COSEALG.ES256 && first === 1)
    return { kty: 'EC', crv: 'P-256', x: base64url(second, 32), y: base64url(third, 32) }
  if (type === 1 && algorithm === COSEALG.EdDSA && first === 6)
    return { kty: 'OKP', crv: 'Ed25519', x: base64url(second, 32) }
  const e = base64url(second, 3)
  if (type === 3 && algorithm === COSEALG.RS256 && e === RSA_EXPONENT)
    return { kty: 'RSA', n: base64url(first, MIN_MODULUS_BYTES, MAX_KEY_BYTES), e }
  return undefined
}

/** Empty where the value has another length. */
function base64url(value: unknown, min: number, max = min): string {
  const fits = value instanceof Uint8Array && value.length >= min && value.length <= max
  return fits ? Buffer.from(value).toString('base64url') : ''
}

function clientData(base64url: string): { readonly challenge?: unknown; readonly crossOrigin?: unknown } {
  return JSON.parse(Buffer.from(base64url, 'base64url').toString())
}

function encoded(challenge: string): string {
  return Buffer.from(challenge).toString('base64url')
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  return bytes(Buffer.from(base64url, 'base64url'))
}

/** A copy of its own: the library looks at the buffer behind. */
function bytes(view: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view)
}
