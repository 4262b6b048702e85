/** Signing in with a password. Whether the account exists shows neither in the answer nor in the time it takes. */
import type { FactorMethod } from '../machines/factor/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { demanded, factorsOf } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import { type OpenedSession, openPending, openSession, type PendingSession, revokeSession } from './sessions.ts'
import { type Account, findAccount } from './users.ts'

export interface Credentials {
  /** User name or address. */
  readonly login: string
  readonly password: string
}

export async function login(
  ports: AccountPorts,
  { login: name, password }: Credentials,
  client: Client,
): Promise<OpenedSession | PendingSession | AccountRefusal> {
  const account = await findAccount(ports, name)
  const verdict = await verdictOn(ports, account, password)
  if (account === undefined || verdict === 'wrong' || !account.active) return refused('invalid_credentials')
  if (ports.settings.requireVerifiedEmail && account.context.row?.is_verified !== true)
    return refused('email_unverified')
  if (verdict === 'stale') await rehash(ports, account, password)
  const before = await demandedOf(ports, account.id)
  if (before.length > 0) return openPending(ports, account.id, before, client)
  const session = await openSession(ports, account, ['password'], client)
  // A first factor that was confirmed meanwhile has ended the sessions that were open then, and this one came after.
  const after = session.ok ? await demandedOf(ports, account.id) : []
  if (!session.ok || after.length === 0) return session
  await revokeSession(ports, session.sessionId, 'a factor was added')
  return openPending(ports, account.id, after, client)
}

async function demandedOf(ports: AccountPorts, userId: number): Promise<readonly FactorMethod[]> {
  return demanded(await factorsOf(ports, userId)).map(({ method }) => method)
}

function verdictOn({ hasher }: AccountPorts, account: Account | undefined, password: string) {
  const stored = account?.context.row?.password_hash
  return stored === undefined ? hasher.verifyNobody(password) : hasher.verify(stored, password)
}

async function rehash({ hasher }: AccountPorts, { handle }: Account, password: string): Promise<void> {
  await handle.send({ type: 'user.password.rehashed', passwordHash: await hasher.hash(password) })
}
