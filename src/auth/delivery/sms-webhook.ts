/** Text messages by the HTTP webhook of a gateway. */
import { createHmac } from 'node:crypto'
import { AppError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import type { Attempt, Carrier } from './delivery.ts'
import { isLoopback } from './loopback.ts'

export const SMS_WEBHOOK_FORM = 'https://host/path without user or password; http on loopback only'

export const SMS_SECRET_FORM = '16 to 512 printable ASCII characters without spaces'

export interface SmsOptions {
  /** See `SMS_WEBHOOK_FORM`. It is sent `{"to", "text", "id"}` by POST. */
  readonly url: string
  /** `bearer`: shown to the gateway. `hmac`: signs each request, and never leaves the node. */
  readonly auth: { readonly kind: 'bearer' | 'hmac'; readonly secret: string }
}

export interface TextMessage {
  /** E.164. */
  readonly to: string
  readonly text: string
}

const PHONE = /^\+[1-9][0-9]{6,14}$/
/** Answers after which the same request may be taken. */
const LATER: readonly number[] = [408, 425, 429]

export function isPhoneNumber(text: string): boolean {
  return PHONE.test(text)
}

export function isSmsWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, hash } = new URL(text)
  const safe = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  return safe && username === '' && password === '' && hash === ''
}

export function isSmsSecret(text: string): boolean {
  return /^[\x21-\x7e]{16,512}$/.test(text)
}

/** Throws AppError `invalid_input`. */
export function createSmsWebhook({ url, auth }: SmsOptions, clock: Clock): Carrier<TextMessage> {
  if (!isSmsWebhook(url))
    throw new AppError(
      'invalid_input',
      `The webhook for text messages must be ${SMS_WEBHOOK_FORM}. Nothing was started.`,
    )
  if (!isSmsSecret(auth.secret))
    throw new AppError(
      'invalid_input',
      `The secret of the webhook for text messages must be ${SMS_SECRET_FORM}. Nothing was started.`,
    )
  const closed = new AbortController()
  return {
    send: async ({ to, text }, id, signal): Promise<Attempt> => {
      if (!isPhoneNumber(to)) return { sent: false, why: 'the number is not + and 7 to 15 digits' }
      const body = JSON.stringify({ to, text, id })
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': id, ...authorization(auth, body, clock) },
        body,
        // Followed, the secret and the code would go wherever the gateway points.
        redirect: 'manual',
        signal: AbortSignal.any([signal, closed.signal]),
      })
      // The status says all: what follows may be endless.
      await response.body?.cancel()
      const { status } = response
      if (response.ok) return { sent: true }
      if (status >= 500 || LATER.includes(status))
        throw Object.assign(new Error('the gateway is not ready'), { status })
      return { sent: false, why: `the gateway refused it: ${status}` }
    },
    close: () => closed.abort(),
  }
}

/** The signature is over time and body, so that neither can be changed, and an old request is known for one. */
function authorization({ kind, secret }: SmsOptions['auth'], body: string, clock: Clock): Record<string, string> {
  if (kind === 'bearer') return { authorization: `Bearer ${secret}` }
  const time = String(Math.floor(clock.now() / 1_000))
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  return { 'x-rootstream-signature': `t=${time},v1=${signature}` }
}
