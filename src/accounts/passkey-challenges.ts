/** Challenges of passkeys: tickets that are answered once, over all nodes, within five minutes, by whom they were given to. */
import { type Assertion, type Attestation, challengeOf, type RelyingParty } from '../auth/passkey.ts'
import { parseToken, sameHash } from '../auth/token.ts'
import { AppError } from '../core/errors.ts'
import type { TicketContext } from '../machines/ticket/machine.ts'
import type { AccountPorts } from './ports.ts'
import type { AccountSettings } from './settings.ts'
import { issueBound } from './tickets.ts'

/** Registrations apart: those are given only to whom may change factors. */
type ChallengePurpose = 'passkey_challenge' | 'passkey_registration'

/** Whom a challenge is for; nobody yet where somebody signs in by a passkey alone. */
interface Bound {
  readonly sessionId: number
  readonly userId: number
}

const CHALLENGE_MS = 300_000

/** Throws AppError `not_found` where the installation has no public address. */
export function relyingParty({ publicUrl, passkeyDomain, issuer }: AccountSettings): RelyingParty {
  if (publicUrl === undefined)
    throw new AppError(
      'not_found',
      'Passkeys belong to a public address, and this node has none. Nothing was changed. Set ROOTSTREAM_PUBLIC_URL to the address users open, and restart the node.',
    )
  const { origin, hostname } = new URL(publicUrl)
  return { id: passkeyDomain ?? hostname, name: issuer, origins: [origin] }
}

export async function issueChallenge(ports: AccountPorts, purpose: ChallengePurpose, bound?: Bound): Promise<string> {
  const to = bound === undefined ? {} : { sessionId: bound.sessionId, userId: bound.userId }
  const token = await issueBound(ports, purpose, CHALLENGE_MS, to)
  if (token === undefined) throw new AppError('conflict', 'The user was deleted meanwhile. No challenge was given out.')
  return token
}

/** The challenge that was answered, used up by this; undefined where it was, is over, or was given to somebody else. */
export async function spendChallenge(
  ports: AccountPorts,
  purpose: ChallengePurpose,
  answer: Attestation | Assertion,
  bound?: Bound,
): Promise<string | undefined> {
  const challenge = challengeOf(answer)
  const shown = challenge === undefined ? undefined : parseToken('ticket', challenge)
  if (shown === undefined) return undefined
  const ticket = ports.actor('ticket', shown.id)
  const { purpose: issuedFor, secretHash, sessionId } = (await ticket.state()).context as unknown as TicketContext
  const isRight = issuedFor === purpose && sameHash(secretHash, shown.hash) && sessionId === (bound?.sessionId ?? null)
  return isRight && (await ticket.send({ type: 'ticket.used' })).ok ? challenge : undefined
}
