/** Authenticator apps: a secret is enrolled, confirmed by a first code, and each code is taken once over all nodes. */
import { QR_FORMS, type QrForm, qrCode } from '../auth/otpauth-qr.ts'
import { isTotpForm, matchTotp, newTotpSecret, totpUri } from '../auth/totp.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { issueBackupCodes } from './backup-codes.ts'
import type { Client } from './client.ts'
import { endOthers, mayChangeFactors } from './factor-changes.ts'
import { factorShown, recordAttempt, tooManyCodes } from './factor-shown.ts'
import { type Factor, factorOf, factorsOf, secretContext } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import type { OpenedSession } from './sessions.ts'
import type { ShownSession } from './shown-session.ts'
import { readAccount } from './users.ts'

export { QR_FORMS }

export interface TotpOptions {
  /** Of a user without factors whose password was shown long ago. */
  readonly password?: string | undefined
  readonly qr?: QrForm | undefined
}

export interface TotpEnrolment {
  readonly ok: true
  /** Base32; told this once. */
  readonly secret: string
  /** `otpauth://…`, which the QR code holds. */
  readonly uri: string
  readonly qr: string
}

/** Nothing is asked for at a login before `confirmTotp`. An enrolment that was never confirmed makes room for this one. */
export async function enrolTotp(
  ports: AccountPorts,
  session: ShownSession,
  { password, qr = 'svg' }: TotpOptions,
): Promise<TotpEnrolment | AccountRefusal> {
  const refusal = await mayChangeFactors(ports, session, password)
  if (refusal !== undefined) return refusal
  const { userId } = session
  const existing = await factorOf(ports, userId, 'totp')
  if (existing?.enabled) return refused('factor_exists')
  // The version: it may be confirmed at this moment.
  await existing?.handle.send(
    { type: 'factor.removed', reason: 'enrolled anew' },
    { expectedVersion: existing.version, userId },
  )
  const id = await ports.nextId('factor')
  const secret = newTotpSecret()
  const sealed = ports.keys.seal(secret, secretContext(id))
  const enrolled = await ports
    .actor('factor', id)
    .send({ type: 'factor.enrolled', userId, method: 'totp', secret: sealed }, { userId })
  if (!enrolled.ok) return refused('factor_exists')
  const account = (await readAccount(ports, userId)).context.row?.username ?? ''
  const uri = totpUri({ issuer: ports.settings.issuer, account, secret })
  return { ok: true, secret, uri, qr: await qrCode(uri, qr) }
}

export type ConfirmedFactor = OpenedSession & {
  /** Shown this once; absent where the user has some. */
  readonly backupCodes?: readonly string[]
}

/** From now on a login waits for a code. The other sessions of the user end, and this one has a new token. */
export async function confirmTotp(
  ports: AccountPorts,
  { sessionId, userId, incomplete }: ShownSession,
  code: string,
  client: Client,
): Promise<ConfirmedFactor | AccountRefusal> {
  if (incomplete) return refused('factor_required')
  const factor = await factorOf(ports, userId, 'totp')
  if (factor?.enabled) return refused('factor_exists')
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return tooManyCodes(budget.retryAfterMs)
  const step = factor === undefined ? undefined : stepOf(ports, factor, code)
  const success =
    step !== undefined && (await factor?.handle.send({ type: 'factor.confirmed', step }, { userId }))?.ok === true
  await recordAttempt(ports, { userId, method: 'totp', success, ipAddress: client.ipAddress })
  if (!success) return refused('invalid_code')
  await ports.attempts.clear('factor', String(userId))
  await endOthers(ports, userId, 'a factor was added', sessionId)
  const opened = await factorShown(ports, sessionId, 'totp', client)
  if (!opened.ok) return opened
  const hasCodes = (await factorsOf(ports, userId)).some(({ method }) => method === 'backup_codes')
  return hasCodes ? opened : { ...opened, backupCodes: await issueBackupCodes(ports, userId) }
}

/** Uses a code up. Whether it was used before is decided by the version of the actor in the log, so once over all nodes. */
export async function useTotp(ports: AccountPorts, factor: Factor, code: string): Promise<boolean> {
  const step = stepOf(ports, factor, code)
  if (step !== undefined) return (await factor.handle.send({ type: 'factor.step.used', step })).ok
  // A slip of the finger is no guess.
  if (isTotpForm(code)) await factor.handle.send({ type: 'factor.code.missed' })
  return false
}

function stepOf({ keys, clock }: AccountPorts, { handle, context }: Factor, code: string): number | undefined {
  const secret = keys.open(context.row?.secret ?? '', secretContext(handle.ref.id))
  return matchTotp(secret, code, clock.now(), context.lastStep)
}
