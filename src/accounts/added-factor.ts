/** Factors that come to an account: room for an enrolment, the first code, and what follows. */
import type { FactorMethod } from '../machines/factor/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { issueBackupCodes } from './backup-codes.ts'
import type { Client } from './client.ts'
import { endOthers } from './factor-changes.ts'
import { factorShown, recordAttempt, tooManyCodes } from './factor-shown.ts'
import { type Factor, factorOf, factorsOf } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import type { OpenedSession } from './sessions.ts'
import type { ShownSession } from './shown-session.ts'

export type ConfirmedFactor = OpenedSession & {
  /** Shown this once; absent where the user has some. */
  readonly backupCodes?: readonly string[]
}

/** Methods that are confirmed by a first code, and stand under the same name in a session. */
type ConfirmedMethod = Exclude<FactorMethod, 'backup_codes' | 'passkey'>

/** An enrolment that was never confirmed makes room for a new one; false where the factor is in use. */
export async function makeRoom(ports: AccountPorts, userId: number, method: ConfirmedMethod): Promise<boolean> {
  const existing = await factorOf(ports, userId, method)
  if (existing?.enabled) return false
  // The version: it may be confirmed at this moment.
  await existing?.handle.send(
    { type: 'factor.removed', reason: 'enrolled anew' },
    { expectedVersion: existing.version, userId },
  )
  return true
}

/** @param confirm takes the first code; whether it was right */
export async function confirmFactor(
  ports: AccountPorts,
  session: ShownSession,
  method: ConfirmedMethod,
  client: Client,
  confirm: (factor: Factor) => Promise<boolean>,
): Promise<ConfirmedFactor | AccountRefusal> {
  const { userId, incomplete } = session
  if (incomplete) return refused('factor_required')
  const factor = await factorOf(ports, userId, method)
  if (factor?.enabled) return refused('factor_exists')
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return tooManyCodes(budget.retryAfterMs)
  const success = factor !== undefined && (await confirm(factor))
  await recordAttempt(ports, { userId, method, success, ipAddress: client.ipAddress })
  if (!success) return refused('invalid_code')
  await ports.attempts.clear('factor', String(userId))
  return factorAdded(ports, session, method, client)
}

/** From now on a login waits for a factor. The other sessions of the user end, and this one has a new token. */
export async function factorAdded(
  ports: AccountPorts,
  { sessionId, userId }: ShownSession,
  method: ConfirmedMethod | 'passkey',
  client: Client,
): Promise<ConfirmedFactor | AccountRefusal> {
  await endOthers(ports, userId, 'a factor was added', sessionId)
  const opened = await factorShown(ports, sessionId, method, client)
  if (!opened.ok) return opened
  const hasCodes = (await factorsOf(ports, userId)).some(known => known.method === 'backup_codes')
  return hasCodes ? opened : { ...opened, backupCodes: await issueBackupCodes(ports, userId) }
}
