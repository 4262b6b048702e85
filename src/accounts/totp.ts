/** Authenticator apps: a secret is enrolled, confirmed by a first code, and each code is taken once over all nodes. */

import { QR_FORMS, type QrForm, qrCode } from '../auth/otpauth-qr.ts'
import { isTotpForm, matchTotp, newTotpSecret, totpUri } from '../auth/totp.ts'
import { type ConfirmedFactor, confirmFactor, makeRoom } from './added-factor.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { mayChangeFactors } from './factor-changes.ts'
import { type Factor, secretContext } from './factors.ts'
import type { AccountPorts } from './ports.ts'
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
  if (!(await makeRoom(ports, userId, 'totp'))) return refused('factor_exists')
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

/** From now on a login waits for a code. The other sessions of the user end, and this one has a new token. */
export async function confirmTotp(
  ports: AccountPorts,
  session: ShownSession,
  code: string,
  client: Client,
): Promise<ConfirmedFactor | AccountRefusal> {
  return confirmFactor(ports, session, 'totp', client, async factor => {
    const step = stepOf(ports, factor, code)
    return step === undefined ? undefined : { type: 'factor.confirmed', step }
  })
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
