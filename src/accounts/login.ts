/** Signing in with a password. Whether the account exists shows neither in the answer nor in the time it takes. */
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { demanded, factorsOf } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import { type OpenedSession, openPending, openSession, type PendingSession } from './sessions.ts'
import { showDevice } from './trusted-devices.ts'
import { type Account, findAccount } from './users.ts'

export interface Credentials {
  /** User name or address. */
  readonly login: string
  readonly password: string
  /** The session is to outlive a day without use, by tokens that change. */
  readonly remember?: boolean | undefined
  /** Of a device on which a factor was shown before. */
  readonly deviceToken?: string
}

export async function login(
  ports: AccountPorts,
  { login: name, password, remember = false, deviceToken }: Credentials,
  client: Client,
): Promise<OpenedSession | PendingSession | AccountRefusal> {
  const account = await findAccount(ports, name)
  const verdict = await verdictOn(ports, account, password)
  if (account === undefined || verdict === 'wrong' || !account.active) return refused('invalid_credentials')
  if (ports.settings.requireVerifiedEmail && account.context.row?.is_verified !== true)
    return refused('email_unverified')
  if (verdict === 'stale') await rehash(ports, account, password)
  const factors = demanded(await factorsOf(ports, account.id))
  if (factors.length === 0) return openSession(ports, account, ['password'], client, remember)
  const device = await showDevice(ports, account, factors, deviceToken, client)
  if (device === undefined) {
    const methods = factors.map(({ method }) => method)
    return openPending(ports, account, methods, client, remember)
  }
  const opened = await openSession(ports, account, ['password', 'trusted_device'], client, remember)
  return opened.ok ? { ...opened, ...device } : opened
}

function verdictOn({ hasher }: AccountPorts, account: Account | undefined, password: string) {
  const stored = account?.context.row?.password_hash
  return stored === undefined ? hasher.verifyNobody(password) : hasher.verify(stored, password)
}

async function rehash({ hasher }: AccountPorts, { handle }: Account, password: string): Promise<void> {
  await handle.send({ type: 'user.password.rehashed', passwordHash: await hasher.hash(password) })
}
