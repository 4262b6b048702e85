/** Factors that come to an account: room for an enrolment, the first code, and what follows. */
import type { OutgoingEvent } from '../machines/define.ts'
import type { FactorMethod } from '../machines/factor/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { issueBackupCodes } from './backup-codes.ts'
import type { Client } from './client.ts'
import { endingOthers } from './factor-changes.ts'
import { factorShown, recordAttempt, tooManyCodes } from './factor-shown.ts'
import { type Factor, factorOf, factorsOf } from './factors.ts'
import { isFresh } from './fresh.ts'
import { changingFactors, isStillOpen } from './in-turn.ts'
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

/** Whoever began it may have left it lying: what it asked for then is not asked for again. */
const ENROLMENT_MS = 10 * 60_000

/** @param confirmation by a right first code: what is sent to the factor; undefined where it is wrong */
export async function confirmFactor(
  ports: AccountPorts,
  session: ShownSession,
  method: ConfirmedMethod,
  client: Client,
  confirmation: (factor: Factor) => Promise<OutgoingEvent | undefined>,
): Promise<ConfirmedFactor | AccountRefusal> {
  if (session.incomplete) return refused('factor_required')
  return changingFactors(ports, session, () => confirmInTurn(ports, session, method, client, confirmation))
}

async function confirmInTurn(
  ports: AccountPorts,
  session: ShownSession,
  method: ConfirmedMethod,
  client: Client,
  confirmation: (factor: Factor) => Promise<OutgoingEvent | undefined>,
): Promise<ConfirmedFactor | AccountRefusal> {
  const { userId } = session
  const factor = await factorOf(ports, userId, method)
  if (factor?.enabled) return refused('factor_exists')
  if (factor !== undefined && !isFresh(ports, factor.context.row?.created_at ?? null, ENROLMENT_MS))
    return refused('invalid_code', 'The enrolment was begun more than ten minutes ago. Begin it anew.')
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return tooManyCodes(budget.retryAfterMs)
  const event = factor && (await confirmation(factor))
  const confirm = async () => event !== undefined && (await factor?.handle.send(event, { userId }))?.ok === true
  const success = event !== undefined && (await addingFactor(ports, session, confirm))
  await recordAttempt(ports, { userId, method, success, ipAddress: client.ipAddress })
  if (!success) return refused('invalid_code')
  await ports.attempts.clear('factor', String(userId))
  const takeBack = async () => factor?.handle.send({ type: 'factor.removed', reason: 'its session was over' })
  return factorAdded(ports, session, method, client, takeBack)
}

/** From now on a login waits for a factor. The other sessions of the user end. */
export function addingFactor<Result>(
  ports: AccountPorts,
  { sessionId, userId }: ShownSession,
  add: () => Promise<Result>,
): Promise<Result> {
  return endingOthers(ports, userId, 'a factor was added', sessionId, add)
}

/**
 * The session has a new token from now on.
 * @param takeBack where the session was ended meanwhile, as by a recovery: whoever held it adds nothing
 */
export async function factorAdded(
  ports: AccountPorts,
  session: ShownSession,
  method: ConfirmedMethod | 'passkey',
  client: Client,
  takeBack: () => Promise<unknown>,
): Promise<ConfirmedFactor | AccountRefusal> {
  const { sessionId, userId } = session
  if (!(await isStillOpen(ports, session))) {
    await takeBack()
    return refused('invalid_session')
  }
  const opened = await factorShown(ports, sessionId, method, client)
  if (!opened.ok) return opened
  const hasCodes = (await factorsOf(ports, userId)).some(known => known.method === 'backup_codes')
  return hasCodes ? opened : { ...opened, backupCodes: await issueBackupCodes(ports, userId) }
}
