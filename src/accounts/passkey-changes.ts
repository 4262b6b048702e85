/** Passkeys of a user: registered, listed, renamed, removed. */
import {
  type Attestation,
  type NewPasskey,
  type PublicKeyCredentialCreationOptionsJSON,
  registrationOptions,
  verifyAttestation,
} from '../auth/passkey.ts'
import { AppError } from '../core/errors.ts'
import { MAX_PASSKEYS, type Passkey } from '../machines/factor/events.ts'
import { addingFactor, type ConfirmedFactor, factorAdded } from './added-factor.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { endingOthers, mayChangeFactors, removeInTurn } from './factor-changes.ts'
import { recordAttempt } from './factor-shown.ts'
import { factorOf } from './factors.ts'
import { changingFactors } from './in-turn.ts'
import { userHandle } from './passkey-assertions.ts'
import { issueChallenge, relyingParty, spendChallenge } from './passkey-challenges.ts'
import type { AccountPorts } from './ports.ts'
import type { ShownSession } from './shown-session.ts'
import { readAccount } from './users.ts'

export interface ShownPasskey {
  /** Base64url. */
  readonly id: string
  readonly label: string
  readonly transports: readonly string[]
  /** Whether it is kept in more places than one device. */
  readonly backedUp: boolean
  /** Its counter did not grow once: there may be a copy of it. */
  readonly doubted: boolean
  /** ISO 8601. */
  readonly addedAt: string
  readonly lastUsedAt: string | null
}

export interface RegistrationOptions {
  readonly ok: true
  /** For `navigator.credentials.create`, by `PublicKeyCredential.parseCreationOptionsFromJSON`. */
  readonly options: PublicKeyCredentialCreationOptionsJSON
}

/** @param password of a user without factors who showed it long ago */
export async function passkeyRegistrationOptions(
  ports: AccountPorts,
  session: ShownSession,
  password?: string,
): Promise<RegistrationOptions | AccountRefusal> {
  const party = relyingParty(ports.settings)
  const refusal = await mayChangeFactors(ports, session, password)
  if (refusal !== undefined) return refusal
  const { userId } = session
  const known = (await factorOf(ports, userId, 'passkey'))?.context.passkeys ?? []
  if (known.length >= MAX_PASSKEYS) return tooMany()
  const { row } = (await readAccount(ports, userId)).context
  const user = { handle: userHandle(userId), name: row?.username ?? '', displayName: row?.display_name ?? '' }
  const challenge = await issueChallenge(ports, 'passkey_registration', session)
  return { ok: true, options: await registrationOptions(party, challenge, user, known) }
}

export interface PasskeyAnswer {
  readonly attestation: Attestation
  /** For the user to know it by. */
  readonly label: string
}

export type RegisteredPasskey = ConfirmedFactor & { readonly passkeyId: string }

/** From now on a login waits for a factor. The other sessions of the user end, and this one has a new token. */
export async function registerPasskey(
  ports: AccountPorts,
  session: ShownSession,
  { attestation, label }: PasskeyAnswer,
  client: Client,
): Promise<RegisteredPasskey | AccountRefusal> {
  const { userId, incomplete } = session
  const party = relyingParty(ports.settings)
  if (incomplete) return refused('factor_required')
  const challenge = await spendChallenge(ports, 'passkey_registration', attestation, session)
  const passkey = challenge === undefined ? undefined : await verifyAttestation(party, challenge, attestation)
  await recordAttempt(ports, { userId, method: 'passkey', success: passkey !== undefined, ipAddress: client.ipAddress })
  if (passkey === undefined) return refused('invalid_passkey')
  return changingFactors(ports, session, async () => {
    const refusal = await addingFactor(ports, session, () => keep(ports, userId, kept(passkey, label)))
    if (refusal !== undefined) return refusal
    const takeBack = async () =>
      (await factorOf(ports, userId, 'passkey'))?.handle.send({ type: 'factor.passkey.removed', id: passkey.id })
    const opened = await factorAdded(ports, session, 'passkey', client, takeBack)
    return opened.ok ? { ...opened, passkeyId: passkey.id } : opened
  })
}

export async function listPasskeys(ports: AccountPorts, userId: number): Promise<readonly ShownPasskey[]> {
  const factor = await factorOf(ports, userId, 'passkey')
  return (factor?.context.passkeys ?? []).map(({ id, label, transports, backedUp, doubted, addedAt, lastUsedAt }) => ({
    ...{ id, label, transports, backedUp, doubted, addedAt, lastUsedAt },
  }))
}

export type PasskeyChanged = { readonly ok: true } | AccountRefusal

/** Throws AppError `not_found`. */
export async function renamePasskey(
  ports: AccountPorts,
  { userId, incomplete }: ShownSession,
  id: string,
  label: string,
): Promise<PasskeyChanged> {
  if (incomplete) return refused('factor_required')
  const renamed = await (await factorOf(ports, userId, 'passkey'))?.handle.send(
    { type: 'factor.passkey.renamed', id, label },
    { userId },
  )
  if (renamed?.ok !== true) throw noSuchPasskey()
  return { ok: true }
}

/** The other sessions of the user end. With the last passkey goes the factor. Throws AppError `not_found`. */
export async function removePasskey(ports: AccountPorts, session: ShownSession, id: string): Promise<PasskeyChanged> {
  return changingFactors(ports, session, async () => {
    const refusal = await mayChangeFactors(ports, session)
    if (refusal !== undefined) return refusal
    const { userId, sessionId } = session
    const factor = await factorOf(ports, userId, 'passkey')
    const passkeys = factor?.context.passkeys ?? []
    if (factor === undefined || !passkeys.some(passkey => passkey.id === id)) throw noSuchPasskey()
    if (passkeys.length === 1) {
      const removed = await removeInTurn(ports, session, 'passkey')
      return removed.ok ? { ok: true } : removed
    }
    await endingOthers(ports, userId, 'a factor was removed', sessionId, () =>
      factor.handle.send({ type: 'factor.passkey.removed', id }, { userId }),
    )
    return { ok: true }
  })
}

/** Another request may enrol or remove the factor at the same moment. */
const MAX_TRIES = 3

async function keep(ports: AccountPorts, userId: number, passkey: Passkey): Promise<AccountRefusal | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const existing = await factorOf(ports, userId, 'passkey')
    if ((existing?.context.passkeys.length ?? 0) >= MAX_PASSKEYS) return tooMany()
    const id = existing?.handle.ref.id ?? (await ports.nextId('factor'))
    const event =
      existing === undefined
        ? { type: 'factor.enrolled', userId, method: 'passkey', passkey: asData(passkey) }
        : { type: 'factor.passkey.added', passkey: asData(passkey) }
    if ((await ports.actor('factor', id).send(event, { userId })).ok) return undefined
    if ((await ports.holderOf({ kind: 'passkey', key: passkey.id })) !== undefined)
      return refused('factor_exists', 'This passkey is registered already. Use another, or remove it where it is.')
  }
  throw new AppError('conflict', 'The factors were changed elsewhere at the same time. Register the passkey again.')
}

function kept({ id, publicKey, counter, transports, backedUp }: NewPasskey, label: string): Passkey {
  return { id, publicKey, counter, transports: [...transports], label, backedUp }
}

function asData(passkey: Passkey) {
  return { ...passkey, transports: [...passkey.transports] }
}

function tooMany(): AccountRefusal {
  return refused('factor_exists', `There are ${MAX_PASSKEYS} passkeys already. Remove one first.`)
}

function noSuchPasskey(): AppError {
  return new AppError('not_found', 'The user has no such passkey. Nothing was changed.')
}
