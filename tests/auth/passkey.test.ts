/** WebAuthn answers, right and wrong in each way an authenticator, a browser or an attacker could make them. */
import { describe, expect, test, vi } from 'vitest'
import {
  type Assertion,
  type Attestation,
  assertionOptions,
  challengeOf,
  type KnownPasskey,
  registrationOptions,
  verifyAssertion,
  verifyAttestation,
} from '../../src/auth/passkey.ts'
import { type Algorithm, Authenticator, type Twist } from '../support/authenticator.ts'
import type { Cbor } from '../support/cbor.ts'

const origin = 'https://stream.example.org'
const party = { id: 'stream.example.org', name: 'RootStream', origins: [origin] }
const user = { handle: 'user/7', name: 'ada', displayName: 'Ada' }

async function registered(algorithm: Algorithm = 'ES256') {
  const device = new Authenticator(origin)
  const options = await registrationOptions(party, 'first challenge', user, [])
  const passkey = await verifyAttestation(party, 'first challenge', device.create(options, { algorithm }))
  return passkey === undefined ? expect.unreachable('the attestation is right') : { device, passkey }
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url')
}

test('a browser is asked for a passkey that verifies its user and is found without a name', async () => {
  const known: KnownPasskey = { id: 'AAAA', publicKey: '', transports: ['usb'] }
  expect(await registrationOptions(party, 'a challenge', user, [known])).toMatchObject({
    rp: { id: 'stream.example.org', name: 'RootStream' },
    user: { id: encoded('user/7'), name: 'ada', displayName: 'Ada' },
    challenge: encoded('a challenge'),
    attestation: 'none',
    pubKeyCredParams: [-8, -7, -257].map(alg => ({ alg, type: 'public-key' })),
    excludeCredentials: [{ id: 'AAAA', transports: ['usb'] }],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  expect(await assertionOptions(party, 'a challenge', [])).toMatchObject({
    rpId: 'stream.example.org',
    challenge: encoded('a challenge'),
    userVerification: 'required',
    allowCredentials: undefined,
  })
})

test.each(['ES256', 'EdDSA', 'RS256'] as const)('a passkey of %s is registered and signs', async algorithm => {
  const { device, passkey } = await registered(algorithm)
  expect(passkey).toMatchObject({ counter: 1, backedUp: false, transports: ['internal'] })
  const options = await assertionOptions(party, 'second challenge', [passkey])
  const assertion = device.get(options, { backedUp: true })
  expect(await verifyAssertion(party, 'second challenge', assertion, passkey)).toEqual({ counter: 2, backedUp: true })
  expect(challengeOf(assertion)).toBe('second challenge')
})

describe('an attestation is refused', () => {
  const twists: Record<string, Twist & { algorithm?: Algorithm; format?: string; statement?: Cbor }> = {
    'from another origin': { origin: 'https://stream.example.org.evil.example' },
    'for another site': { rpId: 'evil.example' },
    'for another challenge': { challenge: encoded('another challenge') },
    'that is an assertion': { type: 'webauthn.get' },
    'without user verification': { userVerified: false },
    'of a curve that was not offered': { algorithm: 'ES256K' },
    'of a short RSA key': { algorithm: 'RS256-weak' },
    'under the id of another passkey': { id: encoded('somebody else') },
    'of a format nobody asked for': { format: 'tpm' },
    'with a statement where there is none': { statement: new Map([['sig', Buffer.from('junk')]]) },
    'by a certificate': {
      format: 'packed',
      statement: new Map<string, Cbor>([
        ['alg', -7],
        ['x5c', Buffer.from('junk')],
      ]),
    },
    'by itself with a wrong signature': {
      format: 'packed',
      statement: new Map<string, Cbor>([
        ['alg', -7],
        ['sig', Buffer.from('junk')],
      ]),
    },
  }

  test.each(Object.entries(twists))('%s', async (_, twist) => {
    const options = await registrationOptions(party, 'a challenge', user, [])
    const attestation = new Authenticator(origin).create(options, twist)
    expect(await verifyAttestation(party, 'a challenge', attestation)).toBeUndefined()
  })

  test('cut at any byte', async () => {
    const options = await registrationOptions(party, 'a challenge', user, [])
    const whole = new Authenticator(origin).create(options)
    expect(await verifyAttestation(party, 'a challenge', whole)).toBeDefined()
    const bytes = Buffer.from(whole.attestationObject, 'base64url')
    for (let length = 0; length < bytes.length; length++) {
      const attestationObject = bytes.subarray(0, length).toString('base64url')
      expect(
        await verifyAttestation(party, 'a challenge', { ...whole, attestationObject }),
        `${length}`,
      ).toBeUndefined()
    }
  })

  test('and no address that it names is asked', async () => {
    const asked = vi.spyOn(globalThis, 'fetch')
    const options = await registrationOptions(party, 'a challenge', user, [])
    for (const format of ['packed', 'tpm', 'android-key', 'android-safetynet', 'apple', 'fido-u2f'])
      for (const statement of [new Map<string, Cbor>([['x5c', Buffer.from('http://127.0.0.1/crl')]])])
        expect(
          await verifyAttestation(
            party,
            'a challenge',
            new Authenticator(origin).create(options, { format, statement }),
          ),
        ).toBeUndefined()
    expect(asked).not.toHaveBeenCalled()
    asked.mockRestore()
  })
})

describe('an assertion is refused', () => {
  const twists: Record<string, Twist> = {
    'from another origin': { origin: 'http://stream.example.org' },
    'for another site': { rpId: 'example.org' },
    'for another challenge': { challenge: encoded('first challenge') },
    'that is an attestation': { type: 'webauthn.create' },
    'without user verification': { userVerified: false },
  }

  test.each(Object.entries(twists))('%s', async (_, twist) => {
    const { device, passkey } = await registered()
    const options = await assertionOptions(party, 'a challenge', [passkey])
    expect(await verifyAssertion(party, 'a challenge', device.get(options, twist), passkey)).toBeUndefined()
  })

  test('by another key', async () => {
    const { device, passkey } = await registered()
    const { passkey: other } = await registered()
    const options = await assertionOptions(party, 'a challenge', [passkey])
    const assertion = device.get(options, { id: other.id })
    expect(await verifyAssertion(party, 'a challenge', assertion, other)).toBeUndefined()
    expect(
      await verifyAssertion(party, 'a challenge', device.get(options), { ...passkey, id: other.id }),
    ).toBeUndefined()
  })

  test('changed in any part', async () => {
    const { device, passkey } = await registered()
    const options = await assertionOptions(party, 'a challenge', [passkey])
    const assertion = device.get(options)
    expect(await verifyAssertion(party, 'a challenge', assertion, passkey)).toBeDefined()
    for (const part of ['clientDataJSON', 'authenticatorData', 'signature'] as const) {
      const bytes = Buffer.from(assertion[part], 'base64url')
      // The frame around the two numbers of a signature may be written in more than one way.
      for (let at = part === 'signature' ? bytes.length - 30 : 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ 1
        const answer: Assertion = { ...assertion, [part]: changed.toString('base64url') }
        expect(await verifyAssertion(party, 'a challenge', answer, passkey), `${part} ${at}`).toBeUndefined()
      }
    }
  })
})

describe('of what names no challenge there is none', () => {
  const parts = { id: '', attestationObject: '' }
  const texts = ['', 'junk', encoded('{'), encoded('null'), encoded('{"challenge":7}'), encoded('[]')]

  test.each(texts)('%j', clientDataJSON => {
    expect(challengeOf({ ...parts, clientDataJSON } satisfies Attestation)).toBeUndefined()
  })

  test('nor of an answer given within a page of another site', async () => {
    const { device, passkey } = await registered()
    const options = await assertionOptions(party, 'a challenge', [passkey])
    expect(challengeOf(device.get(options, { crossOrigin: true }))).toBeUndefined()
  })
})
