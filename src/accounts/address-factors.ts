/** Addresses as second factors: enrolled, and confirmed by a first code that was sent there. */
import { isMailAddress } from '../auth/delivery/mail-address.ts'
import { isPhoneNumber } from '../auth/delivery/sms-webhook.ts'
import { AppError } from '../core/errors.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { issueBackupCodes } from './backup-codes.ts'
import type { Client } from './client.ts'
import { endOthers, mayChangeFactors } from './factor-changes.ts'
import { factorShown, recordAttempt, tooManyCodes } from './factor-shown.ts'
import { factorOf, factorsOf, secretContext } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import { type AddressMethod, type CodeSent, confirmBySentCode, sendCodeTo } from './sent-codes.ts'
import type { ShownSession } from './shown-session.ts'
import type { ConfirmedFactor } from './totp.ts'
import { readAccount } from './users.ts'

export interface AddressEnrolment {
  readonly method: AddressMethod
  /** A mail address, by default the account's; or a number as `+` and digits. */
  readonly address?: string | undefined
  /** Of a user without factors whose password was shown long ago. */
  readonly password?: string | undefined
}

/** Sends a first code there. Nothing is asked for at a login before it was shown. Throws AppError `invalid_input`. */
export async function enrolAddress(
  ports: AccountPorts,
  session: ShownSession,
  { method, address: given, password }: AddressEnrolment,
): Promise<CodeSent | AccountRefusal> {
  const refusal = (await mayChangeFactors(ports, session, password)) ?? (await mayHave(ports, session, method))
  if (refusal !== undefined) return refusal
  const { userId } = session
  const address =
    given ?? (method === 'email' ? (await readAccount(ports, userId)).context.row?.email : undefined) ?? ''
  if (!(method === 'email' ? isMailAddress(address) : isPhoneNumber(address)))
    throw new AppError(
      'invalid_input',
      `That is no ${method === 'email' ? 'mail address' : 'number in the form + and 7 to 15 digits'}. Nothing was changed.`,
    )
  const existing = await factorOf(ports, userId, method)
  if (existing?.enabled) return refused('factor_exists')
  // The version: it may be confirmed at this moment.
  await existing?.handle.send(
    { type: 'factor.removed', reason: 'enrolled anew' },
    { expectedVersion: existing.version, userId },
  )
  const id = await ports.nextId('factor')
  const secret = ports.keys.seal(address, secretContext(id))
  const enrolled = await ports.actor('factor', id).send({ type: 'factor.enrolled', userId, method, secret }, { userId })
  const factor = enrolled.ok ? await factorOf(ports, userId, method) : undefined
  return factor === undefined ? refused('factor_exists') : sendCodeTo(ports, factor, method)
}

async function mayHave(
  ports: AccountPorts,
  { userId }: ShownSession,
  method: AddressMethod,
): Promise<AccountRefusal | undefined> {
  if (!ports.delivery.offers(method === 'email' ? 'mail' : 'sms'))
    return refused('not_offered', `This installation has nothing to send ${method} by.`)
  if (method === 'email' || ports.settings.smsAlone) return undefined
  const stronger = (await factorsOf(ports, userId)).some(
    factor => factor.enabled && (factor.method === 'totp' || factor.method === 'passkey'),
  )
  return stronger
    ? undefined
    : refused('not_offered', 'Enrol an authenticator app or a passkey first: text messages are the weakest factor.')
}

/** From now on a login waits for a factor. The other sessions of the user end, and this one has a new token. */
export async function confirmAddressFactor(
  ports: AccountPorts,
  { sessionId, userId, incomplete }: ShownSession,
  { method, code }: { readonly method: AddressMethod; readonly code: string },
  client: Client,
): Promise<ConfirmedFactor | AccountRefusal> {
  if (incomplete) return refused('factor_required')
  const factor = await factorOf(ports, userId, method)
  if (factor?.enabled) return refused('factor_exists')
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return tooManyCodes(budget.retryAfterMs)
  const success = factor !== undefined && (await confirmBySentCode(ports, factor, code))
  await recordAttempt(ports, { userId, method, success, ipAddress: client.ipAddress })
  if (!success) return refused('invalid_code')
  await ports.attempts.clear('factor', String(userId))
  await endOthers(ports, userId, 'a factor was added', sessionId)
  const opened = await factorShown(ports, sessionId, method, client)
  if (!opened.ok) return opened
  const hasCodes = (await factorsOf(ports, userId)).some(known => known.method === 'backup_codes')
  return hasCodes ? opened : { ...opened, backupCodes: await issueBackupCodes(ports, userId) }
}
