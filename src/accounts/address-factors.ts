/** Addresses as second factors: enrolled, and confirmed by a first code that was sent there. */

import { isMailAddress } from '../auth/delivery/mail-address.ts'
import { isPhoneNumber } from '../auth/delivery/sms-webhook.ts'
import { AppError } from '../core/errors.ts'
import { type ConfirmedFactor, confirmFactor, makeRoom } from './added-factor.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { mayChangeFactors } from './factor-changes.ts'
import { factorOf, factorsOf, hasStronger, secretContext } from './factors.ts'
import { changingFactors } from './in-turn.ts'
import type { AccountPorts } from './ports.ts'
import { type AddressMethod, type CodeSent, confirmationBySentCode, sendCodeTo } from './sent-codes.ts'
import type { ShownSession } from './shown-session.ts'
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
  return changingFactors(ports, session, async () => {
    // The stronger one may have been removed since.
    const alone = await mayHave(ports, session, method)
    if (alone !== undefined) return alone
    if (!(await makeRoom(ports, userId, method))) return refused('factor_exists')
    const id = await ports.nextId('factor')
    const secret = ports.keys.seal(address, secretContext(id))
    const event = { type: 'factor.enrolled', userId, method, secret }
    const enrolled = await ports.actor('factor', id).send(event, { userId })
    const factor = enrolled.ok ? await factorOf(ports, userId, method) : undefined
    return factor === undefined ? refused('factor_exists') : sendCodeTo(ports, factor, method)
  })
}

async function mayHave(
  ports: AccountPorts,
  { userId }: ShownSession,
  method: AddressMethod,
): Promise<AccountRefusal | undefined> {
  if (!ports.delivery.offers(method === 'email' ? 'mail' : 'sms'))
    return refused('not_offered', `This installation has nothing to send ${method} by.`)
  if (method === 'email' || ports.settings.smsAlone) return undefined
  return hasStronger(await factorsOf(ports, userId))
    ? undefined
    : refused('not_offered', 'Enrol an authenticator app or a passkey first: text messages are the weakest factor.')
}

/** From now on a login waits for a factor. The other sessions of the user end, and this one has a new token. */
export async function confirmAddressFactor(
  ports: AccountPorts,
  session: ShownSession,
  { method, code }: { readonly method: AddressMethod; readonly code: string },
  client: Client,
): Promise<ConfirmedFactor | AccountRefusal> {
  return confirmFactor(ports, session, method, client, factor => confirmationBySentCode(ports, factor, code))
}
