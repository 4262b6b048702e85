/** Codes that are sent to an address: weaker factors, for the address may be read by others (OWASP ASVS 5.0, 6.6.1). */
import { randomInt } from 'node:crypto'
import { sameHash } from '../auth/token.ts'
import type { OutgoingEvent } from '../machines/define.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { type Factor, factorOf, secretContext } from './factors.ts'
import { codeLetter, codeText } from './letters.ts'
import type { AccountPorts } from './ports.ts'
import type { ShownSession } from './shown-session.ts'

export const ADDRESS_METHODS = ['email', 'sms'] as const
export type AddressMethod = (typeof ADDRESS_METHODS)[number]

export interface CodeSent {
  readonly ok: true
  /** The address, masked. */
  readonly to: string
  /** ISO 8601. */
  readonly expiresAt: string
}

/** Sends a code to a factor of the user, who may have shown the password alone so far. */
export async function sendCode(
  ports: AccountPorts,
  { userId }: Pick<ShownSession, 'userId'>,
  method: AddressMethod,
): Promise<CodeSent | AccountRefusal> {
  const factor = await factorOf(ports, userId, method)
  if (factor?.enabled !== true) return refused('not_offered', 'There is no such factor to send a code to.')
  return sendCodeTo(ports, factor, method)
}

/** In the log, as a hash, before it is sent; an older one is void from then on. */
export async function sendCodeTo(
  ports: AccountPorts,
  { handle, context }: Factor,
  method: AddressMethod,
): Promise<CodeSent | AccountRefusal> {
  const { keys, delivery, settings, clock } = ports
  const channel = method === 'email' ? 'mail' : 'sms'
  if (!delivery.offers(channel)) return refused('not_offered', `This installation has nothing to send ${channel} by.`)
  const id = handle.ref.id
  const address = keys.open(context.row?.secret ?? '', secretContext(id))
  // By address too: many accounts may have one in common.
  for (const key of [`code/${context.row?.user_id}`, `code/${keys.fingerprint(address, 'delivery')}`]) {
    const budget = await ports.attempts.take('delivery', key)
    if (!budget.ok)
      return refused('too_many_attempts', 'Too many codes were sent. Wait before the next.', budget.retryAfterMs)
  }
  const digits = Math.min(Math.max(settings.codeDigits, MIN_DIGITS), MAX_DIGITS)
  const code = String(randomInt(10 ** digits)).padStart(digits, '0')
  const until = clock.now() + Math.min(settings.codeMs, MAX_CODE_MS)
  const expiresAt = new Date(until).toISOString()
  const sent = await handle.send({ type: 'factor.code.sent', codeHash: hashOf(ports, id, code), expiresAt })
  if (!sent.ok) return refused('not_offered', 'The factor was removed.')
  const minutes = Math.round((until - clock.now()) / 60_000)
  const sending = { until, replaces: `code/${id}` }
  if (channel === 'mail') {
    const { subject, text } = codeLetter(settings, code, minutes)
    delivery.mail(address, subject, text, sending)
  } else delivery.sms(address, codeText(settings, code, minutes), sending)
  return { ok: true, to: masked(address), expiresAt }
}

const MIN_DIGITS = 6
const MAX_DIGITS = 8
/** OWASP ASVS 5.0, 6.5.5. */
const MAX_CODE_MS = 10 * 60_000

/** Uses a code up, once over all nodes: its guard is the actor's. A few wrong ones make it void. */
export async function useSentCode(ports: AccountPorts, { handle }: Factor, typed: string): Promise<boolean> {
  const codeHash = typedHash(ports, handle.ref.id, typed)
  if (codeHash === undefined) return false
  if ((await handle.send({ type: 'factor.code.used', codeHash })).ok) return true
  await handle.send({ type: 'factor.code.missed' })
  return false
}

/**
 * What the first code confirms the address by, where it is right. To be asked by one at a time: what is compared was read,
 * and many at once would be more guesses than the actor counts.
 */
export async function confirmationBySentCode(
  ports: AccountPorts,
  { handle, context }: Factor,
  typed: string,
): Promise<OutgoingEvent | undefined> {
  const codeHash = typedHash(ports, handle.ref.id, typed)
  if (codeHash === undefined) return undefined
  if (sameHash(context.sentCode?.codeHash ?? '', codeHash)) return { type: 'factor.confirmed', codeHash }
  await handle.send({ type: 'factor.code.missed' })
  return undefined
}

/** Undefined for a slip of the finger, which is no guess. */
function typedHash(ports: AccountPorts, factorId: number, typed: string): string | undefined {
  const code = typed.length > MAX_TYPED ? '' : typed.replaceAll(' ', '')
  return FORM.test(code) ? hashOf(ports, factorId, code) : undefined
}

/** Only ASCII digits. */
const FORM = /^[0-9]{6,8}$/
const MAX_TYPED = 16

function hashOf({ keys }: AccountPorts, factorId: number, code: string): string {
  return keys.fingerprint(code, `factor/${factorId}/code`)
}

/** Enough for its owner to know it. */
function masked(address: string): string {
  const [name = '', domain] = address.split('@')
  return domain === undefined ? `${address.slice(0, 3)}…${address.slice(-2)}` : `${name.slice(0, 1)}…@${domain}`
}
