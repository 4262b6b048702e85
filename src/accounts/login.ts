/** Signing in with a password. Whether the account exists shows neither in the answer nor in the time it takes. */
import type { FactorMethod } from '../machines/factor/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { demanded, type Factor, factorsOf } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import { type OpenedSession, openPending, openSession, type PendingSession, revokeSession } from './sessions.ts'
import { sameFactors, showDevice } from './trusted-devices.ts'
import { type Account, findAccount } from './users.ts'

export interface Credentials {
  /** User name or address. */
  readonly login: string
  readonly password: string
  /** Of a device on which a factor was shown before. */
  readonly deviceToken?: string
}

export async function login(
  ports: AccountPorts,
  { login: name, password, deviceToken }: Credentials,
  client: Client,
): Promise<OpenedSession | PendingSession | AccountRefusal> {
  const account = await findAccount(ports, name)
  const verdict = await verdictOn(ports, account, password)
  if (account === undefined || verdict === 'wrong' || !account.active) return refused('invalid_credentials')
  if (ports.settings.requireVerifiedEmail && account.context.row?.is_verified !== true)
    return refused('email_unverified')
  if (verdict === 'stale') await rehash(ports, account, password)
  const before = demanded(await factorsOf(ports, account.id))
  const device = before.length === 0 ? {} : await showDevice(ports, account, before, deviceToken, client)
  if (device === undefined) return openPending(ports, account.id, methodsOf(before), client)
  const shown = before.length === 0 ? (['password'] as const) : (['password', 'trusted_device'] as const)
  const session = await openSession(ports, account, shown, client)
  if (!session.ok) return session
  // Factors that were changed meanwhile have ended the sessions that were open then, and this one came after.
  const after = demanded(await factorsOf(ports, account.id))
  if (after.length === 0 || sameFactors(before, after)) return { ...session, ...device }
  await revokeSession(ports, session.sessionId, 'a factor was added')
  return openPending(ports, account.id, methodsOf(after), client)
}

function methodsOf(factors: readonly Factor[]): readonly FactorMethod[] {
  return factors.map(({ method }) => method)
}

function verdictOn({ hasher }: AccountPorts, account: Account | undefined, password: string) {
  const stored = account?.context.row?.password_hash
  return stored === undefined ? hasher.verifyNobody(password) : hasher.verify(stored, password)
}

async function rehash({ hasher }: AccountPorts, { handle }: Account, password: string): Promise<void> {
  await handle.send({ type: 'user.password.rehashed', passwordHash: await hasher.hash(password) })
}
