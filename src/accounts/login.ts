/** Signing in with a password. Whether the account exists shows neither in the answer nor in the time it takes. */
import type { FactorMethod } from '../machines/factor/events.ts'
import { normalName } from '../machines/user/index.ts'
import { type AccountRefusal, refused, tooManyAttempts } from './answers.ts'
import type { BegunAttempt, RefusedAttempt } from './attempts.ts'
import type { Client } from './client.ts'
import { revokeSession } from './end-sessions.ts'
import { demandedOf, type Factor } from './factors.ts'
import { knownPlace, notePlace } from './known-place.ts'
import { networkOf } from './network.ts'
import type { AccountPorts } from './ports.ts'
import { type OpenedSession, openPending, openSession, type PendingSession } from './sessions.ts'
import { sameFactors, showDevice } from './trusted-devices.ts'
import { isPlainLine } from './username.ts'
import { type Account, findAccount } from './users.ts'

/** Two columns of the table are 255 characters; some of them grow in compatibility form. */
const MAX_LOGIN = 512

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
  // What no name can be is asked for as nobody: it takes as long, and the log could not even be asked.
  const account = await findAccount(ports, isPlainLine(name) && name.length <= MAX_LOGIN ? name : '')
  const attempt = await beginAttempt(ports, name, account, client, deviceToken)
  if (!attempt.ok) return tooManyAttempts(attempt)
  const verdict = await verdictOn(ports, account, password).catch(async error => {
    // Nothing was tried: the queue was full, say.
    await attempt.settle('undone')
    throw error
  })
  const isRight = account !== undefined && (verdict === 'right' || verdict === 'stale')
  await attempt.settle(isRight ? 'right' : 'wrong')
  if (!isRight) return refused('invalid_credentials')
  await notePlace(ports, account, client)
  if (ports.settings.requireVerifiedEmail && account.context.row?.is_verified !== true)
    return refused('email_unverified')
  if (verdict === 'stale') await rehash(ports, account, password)
  const before = await demandedOf(ports, account.id)
  const replaceToken =
    before.length === 0 ? async () => ({}) : await showDevice(ports, account, before, deviceToken, client)
  if (replaceToken === undefined) return openPending(ports, account, methodsOf(before), client, remember)
  const shown = before.length === 0 ? (['password'] as const) : (['password', 'trusted_device'] as const)
  const session = await openSession(ports, account, shown, client, remember)
  if (!session.ok) return session
  // Factors that were changed meanwhile have ended the sessions that were open then, and this one came after.
  const after = await demandedOf(ports, account.id)
  const stands = after.length === 0 || sameFactors(before, after)
  const device = stands ? await replaceToken() : undefined
  if (device !== undefined) return { ...session, ...device }
  await revokeSession(ports, session.sessionId, stands ? 'its device is trusted no more' : 'a factor was added')
  return openPending(ports, account, methodsOf(after), client, remember)
}

function methodsOf(factors: readonly Factor[]): readonly FactorMethod[] {
  return factors.map(({ method }) => method)
}

/** An account out of use has no password: it costs and answers what none does. */
async function verdictOn({ hasher, log }: AccountPorts, account: Account | undefined, password: string) {
  const stored = account?.active === true ? account.context.row?.password_hash : undefined
  if (stored === undefined) return hasher.verifyNobody(password)
  const verdict = await hasher.verify(stored, password)
  if (verdict === 'unusable')
    log.warn({ userId: account?.id }, 'an account has a password hash that is not computed; set a new password')
  return verdict
}

async function rehash({ hasher }: AccountPorts, { handle, context }: Account, password: string): Promise<void> {
  const passwordHash = await hasher.hash(password)
  // Refused where the password was changed meanwhile: this one is over, and the login with it.
  await handle.send({ type: 'user.password.rehashed', passwordHash, authEpoch: context.authEpoch })
}

/**
 * Counted by the name as it was typed, whether there is such an account or not: a budget over both names of an account
 * would tell that they are of one. Whoever is locked out by strangers still has the budget of the place where he signed in.
 */
async function beginAttempt(
  ports: AccountPorts,
  name: string,
  account: Account | undefined,
  client: Client,
  deviceToken: string | undefined,
): Promise<BegunAttempt | RefusedAttempt> {
  const { attempts } = ports
  const address = client.ipAddress === undefined ? undefined : networkOf(client.ipAddress)
  const ofAddress = address === undefined ? undefined : await attempts.begin('login.address', address)
  if (ofAddress?.ok === false) return ofAddress
  try {
    const place = await knownPlace(ports, account, client, deviceToken)
    const begun = await (place === undefined
      ? attempts.begin('login.account', loginKey(name))
      : // What was tried of a password that is none any more is not counted: nobody knows all places to clear.
        attempts.begin('login.known', `${place}/${account?.context.authEpoch}/${loginKey(name)}`))
    if (!begun.ok) {
      // An address is counted also where the name has no attempts left.
      await ofAddress?.settle('wrong')
      return begun
    }
    return {
      ok: true,
      settle: async outcome => {
        // Successes at one name say nothing of guesses at others.
        const ended = outcome === 'wrong' ? outcome : 'undone'
        await Promise.all([begun.settle(outcome), ofAddress?.settle(ended)])
      },
    }
  } catch (error) {
    await ofAddress?.settle('undone')
    throw error
  }
}

/** After the password of an account was set by other means than a login. Budgets of known places are those of the old one. */
export async function clearPasswordAttempts({ attempts }: AccountPorts, { id, context }: Account): Promise<void> {
  const names = [context.row?.username, context.row?.email].filter(name => name !== undefined)
  await Promise.all([
    attempts.clear('password', String(id)),
    ...names.map(name => attempts.clear('login.account', loginKey(name))),
  ])
}

function loginKey(name: string): string {
  return normalName(name.slice(0, MAX_LOGIN))
}
