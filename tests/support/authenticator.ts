/** An authenticator in software: makes passkeys and signs with them, and can be told to do so wrongly. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { Assertion, Attestation } from '../../src/auth/passkey.ts'
import { type Cbor, encodeCbor } from './cbor.ts'

const UP = 0x01
const UV = 0x04
const BE = 0x08
const BS = 0x10
const AT = 0x40

/** What is done otherwise than it should be. */
export interface Twist {
  readonly origin?: string
  readonly rpId?: string
  readonly type?: string
  readonly challenge?: string
  readonly crossOrigin?: boolean
  readonly userVerified?: boolean
  readonly counter?: number
  readonly backedUp?: boolean
  readonly userHandle?: string | undefined
  /** Names this passkey and signs with its own. */
  readonly id?: string
}

export interface Held {
  readonly id: string
  readonly rpId: string
  readonly userHandle: string
  readonly privateKey: KeyObject
  readonly algorithm: Algorithm
  counter: number
}

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256' | 'RS256-weak' | 'ES256K'

interface CreationOptions {
  readonly challenge: string
  readonly rp: { readonly id?: string | undefined }
  readonly user: { readonly id: string }
}

interface RequestOptions {
  readonly challenge: string
  readonly rpId?: string | undefined
  readonly allowCredentials?: readonly { readonly id: string }[] | undefined
}

export class Authenticator {
  readonly origin: string
  readonly held: Held[] = []

  constructor(origin: string) {
    this.origin = origin
  }

  create(
    options: CreationOptions,
    twist: Twist & {
      readonly algorithm?: Algorithm
      readonly format?: string
      readonly statement?: Cbor
      /** Base64url; by chance where it is not given. */
      readonly credentialId?: string
    } = {},
  ): Attestation {
    const { algorithm = 'ES256', format = 'none', statement = new Map() } = twist
    const { privateKey, cose } = newKey(algorithm)
    const credentialId =
      twist.credentialId === undefined ? randomBytes(32) : Buffer.from(twist.credentialId, 'base64url')
    const rpId = twist.rpId ?? options.rp.id ?? ''
    const id = credentialId.toString('base64url')
    const held = { id, rpId, userHandle: options.user.id, privateKey, algorithm, counter: twist.counter ?? 1 }
    this.held.push(held)
    const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, credentialId.length]), credentialId, cose])
    const authData = Buffer.concat([authenticatorData(rpId, held.counter, AT | flags(twist)), attested])
    const object: Cbor = new Map<string, Cbor>([
      ['fmt', format],
      ['attStmt', statement],
      ['authData', authData],
    ])
    return {
      id: twist.id ?? id,
      clientDataJSON: this.#clientData('webauthn.create', options.challenge, twist),
      attestationObject: encodeCbor(object).toString('base64url'),
      transports: ['internal'],
    }
  }

  get(options: RequestOptions, twist: Twist = {}): Assertion {
    const allowed = options.allowCredentials?.map(({ id }) => id)
    const held = this.held.findLast(({ id }) => allowed === undefined || allowed.includes(id))
    if (held === undefined) throw new Error('the authenticator holds none of these passkeys')
    if (held.counter > 0) held.counter++
    const data = authenticatorData(twist.rpId ?? held.rpId, twist.counter ?? held.counter, flags(twist))
    const clientDataJSON = this.#clientData('webauthn.get', options.challenge, twist)
    const hash = createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest()
    const signature = sign(held.algorithm === 'EdDSA' ? null : 'sha256', Buffer.concat([data, hash]), held.privateKey)
    const userHandle = 'userHandle' in twist ? twist.userHandle : held.userHandle
    return {
      id: twist.id ?? held.id,
      clientDataJSON,
      authenticatorData: data.toString('base64url'),
      signature: signature.toString('base64url'),
      ...(userHandle === undefined ? {} : { userHandle }),
    }
  }

  #clientData(type: string, challenge: string, twist: Twist): string {
    const { origin = this.origin, crossOrigin = false } = twist
    const data = { type: twist.type ?? type, challenge: twist.challenge ?? challenge, origin, crossOrigin }
    return Buffer.from(JSON.stringify(data)).toString('base64url')
  }
}

/** As a browser sends it (`PublicKeyCredential.toJSON()`). */
export function created(device: Authenticator, options: unknown, twist: Twist = {}) {
  return credential(device.create(options as CreationOptions, twist))
}

export function signed(device: Authenticator, options: unknown, twist: Twist = {}) {
  return credential(device.get(options as RequestOptions, twist))
}

function credential<Answer extends { readonly id: string }>({ id, ...response }: Answer) {
  return {
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    authenticatorAttachment: 'platform',
    response,
  }
}

function flags({ userVerified = true, backedUp = false }: Twist): number {
  return UP | (userVerified ? UV : 0) | (backedUp ? BE | BS : 0)
}

function authenticatorData(rpId: string, counter: number, bits: number): Buffer {
  const tail = Buffer.alloc(5)
  tail.writeUInt8(bits)
  tail.writeUInt32BE(counter, 1)
  return Buffer.concat([createHash('sha256').update(rpId).digest(), tail])
}

/** Public keys by RFC 9053 and RFC 8812. */
function newKey(algorithm: Algorithm): { privateKey: KeyObject; cose: Buffer } {
  if (algorithm === 'RS256' || algorithm === 'RS256-weak') {
    const modulusLength = algorithm === 'RS256' ? 2048 : 1024
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
    return {
      privateKey,
      cose: key(3, -257, [
        [-1, n],
        [-2, e],
      ]),
    }
  }
  if (algorithm === 'EdDSA') {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    return {
      privateKey,
      cose: key(1, -8, [
        [-1, 6],
        [-2, publicKey.export({ format: 'jwk' }).x ?? ''],
      ]),
    }
  }
  const isK = algorithm === 'ES256K'
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: isK ? 'secp256k1' : 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return {
    privateKey,
    cose: key(2, isK ? -47 : -7, [
      [-1, isK ? 8 : 1],
      [-2, x],
      [-3, y],
    ]),
  }
}

function key(type: number, algorithm: number, parts: readonly (readonly [number, number | string])[]): Buffer {
  const values = parts.map(
    ([label, value]) => [label, typeof value === 'number' ? value : Buffer.from(value, 'base64url')] as const,
  )
  return encodeCbor(new Map<number, Cbor>([[1, type], [3, algorithm], ...values]))
}
