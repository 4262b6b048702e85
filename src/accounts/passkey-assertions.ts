/** Passkeys shown: to sign in by one alone, to complete a login, or to make an open session fresh. */
import {
  type Assertion,
  assertionOptions,
  type PublicKeyCredentialRequestOptionsJSON,
  verifyAssertion,
} from '../auth/passkey.ts'
import type { HeldPasskey } from '../machines/factor/passkeys.ts'
import { type AccountRefusal, refused, tooManyAttempts } from './answers.ts'
import type { Client } from './client.ts'
import { revokeSession } from './end-sessions.ts'
import { factorShown, recordAttempt, tooManyCodes } from './factor-shown.ts'
import { type Factor, factorOf } from './factors.ts'
import { networkOf } from './network.ts'
import { issueChallenge, relyingParty, spendChallenge } from './passkey-challenges.ts'
import type { AccountPorts } from './ports.ts'
import { isFull, type OpenedSession, openSession } from './sessions.ts'
import type { ShownSession } from './shown-session.ts'
import { readAccount } from './users.ts'

export interface AssertionOptions {
  readonly ok: true
  /** For `navigator.credentials.get`, by `PublicKeyCredential.parseRequestOptionsFromJSON`. */
  readonly options: PublicKeyCredentialRequestOptionsJSON
}

/** Anybody may ask, and each answer is an event: so there is a budget by address. */
export async function passkeyLoginOptions(
  ports: AccountPorts,
  { ipAddress }: Client,
): Promise<AssertionOptions | AccountRefusal> {
  const party = relyingParty(ports.settings)
  const budget = ipAddress === undefined ? undefined : await ports.attempts.take('login.address', networkOf(ipAddress))
  if (budget?.ok === false) return tooManyAttempts(budget)
  return { ok: true, options: await assertionOptions(party, await issueChallenge(ports, 'passkey_challenge'), []) }
}

/** The passkey says who it is. It verified its user, so it is two factors in one. */
export async function passkeyLogin(
  ports: AccountPorts,
  assertion: Assertion,
  client: Client,
): Promise<OpenedSession | AccountRefusal> {
  const challenge = await spendChallenge(ports, 'passkey_challenge', assertion)
  const holder = await ports.holderOf({ kind: 'passkey', key: assertion.id })
  if (challenge === undefined || holder === undefined) return refused('invalid_passkey')
  const { row } = (await ports.actor('factor', holder.id).state()).context as unknown as Factor['context']
  const userId = row?.user_id ?? 0
  // Nobody was named before, so the authenticator has to (WebAuthn Level 3, 7.2 step 6).
  if (assertion.userHandle !== encodedHandle(userId)) return refused('invalid_passkey')
  if (!(await signed(ports, userId, challenge, assertion, client))) return refused('invalid_passkey')
  const account = await readAccount(ports, userId)
  if (!account.active) return refused('invalid_passkey')
  if (ports.settings.requireVerifiedEmail && account.context.row?.is_verified !== true)
    return refused('email_unverified')
  const session = await openSession(ports, account, ['passkey'], client)
  // A passkey that was removed meanwhile has ended the sessions that were open then, and this one came after.
  if (!session.ok || (await holdsPasskey(ports, userId, assertion.id))) return session
  await revokeSession(ports, session.sessionId, 'its passkey was removed')
  return refused('invalid_passkey')
}

async function holdsPasskey(ports: AccountPorts, userId: number, id: string): Promise<boolean> {
  return (await factorOf(ports, userId, 'passkey'))?.context.passkeys.some(passkey => passkey.id === id) === true
}

export async function passkeyFactorOptions(
  ports: AccountPorts,
  session: ShownSession,
): Promise<AssertionOptions | AccountRefusal> {
  const party = relyingParty(ports.settings)
  const passkeys = (await factorOf(ports, session.userId, 'passkey'))?.context.passkeys ?? []
  if (passkeys.length === 0) return refused('invalid_passkey', 'There is no passkey. Show another factor.')
  const challenge = await issueChallenge(ports, 'passkey_challenge', session)
  return { ok: true, options: await assertionOptions(party, challenge, passkeys) }
}

/** One budget with the codes of the other factors. */
export async function passkeyFactor(
  ports: AccountPorts,
  session: ShownSession,
  assertion: Assertion,
  client: Client,
): Promise<OpenedSession | AccountRefusal> {
  const { sessionId, userId, pending } = session
  if (pending && (await isFull(ports, userId))) return refused('session_limit')
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return tooManyCodes(budget.retryAfterMs)
  const challenge = await spendChallenge(ports, 'passkey_challenge', assertion, session)
  if (challenge === undefined) {
    await recordAttempt(ports, { userId, method: 'passkey', success: false, ipAddress: client.ipAddress })
    return refused('invalid_passkey')
  }
  if (!(await signed(ports, userId, challenge, assertion, client))) return refused('invalid_passkey')
  await ports.attempts.clear('factor', String(userId))
  return factorShown(ports, sessionId, 'passkey', client, () => holdsPasskey(ports, userId, assertion.id))
}

/** Whether a passkey of the user signed the challenge; recorded either way. */
async function signed(
  ports: AccountPorts,
  userId: number,
  challenge: string,
  assertion: Assertion,
  { ipAddress }: Client,
): Promise<boolean> {
  const factor = await factorOf(ports, userId, 'passkey')
  const passkey = factor?.context.passkeys.find(({ id }) => id === assertion.id)
  const isOwner = assertion.userHandle === undefined || assertion.userHandle === encodedHandle(userId)
  const success =
    isOwner &&
    factor !== undefined &&
    passkey !== undefined &&
    (await uses(ports, factor, passkey, challenge, assertion))
  await recordAttempt(ports, { userId, method: 'passkey', success, ipAddress })
  return success
}

/** The counter is compared by the actor, so with the newest over all nodes. */
async function uses(
  ports: AccountPorts,
  { handle }: Factor,
  passkey: HeldPasskey,
  challenge: string,
  assertion: Assertion,
): Promise<boolean> {
  const verified = await verifyAssertion(relyingParty(ports.settings), challenge, assertion, passkey)
  if (verified === undefined) return false
  const { id } = passkey
  const { counter, backedUp } = verified
  if ((await handle.send({ type: 'factor.passkey.used', id, counter, backedUp })).ok) return true
  if ((await handle.send({ type: 'factor.passkey.doubted', id, counter })).ok)
    ports.log.warn({ factor: handle.ref.id }, 'the counter of a passkey did not grow: there may be a copy of it')
  return false
}

/** What an authenticator keeps of a user beside the names it shows. */
export function userHandle(userId: number): string {
  return `user/${userId}`
}

function encodedHandle(userId: number): string {
  return Buffer.from(userHandle(userId)).toString('base64url')
}
