/** What the environment says of the ways that mails and text messages go. */
import { MAIL_FROM_FORM, parseSender } from './mail-address.ts'
import { isSmsSecret, isSmsWebhook, SMS_SECRET_FORM, SMS_WEBHOOK_FORM, type SmsOptions } from './sms-webhook.ts'
import type { SmtpOptions } from './smtp.ts'
import { isSmtpUrl, SMTP_URL_FORM } from './smtp-url.ts'

/** Each with the form it must have. */
export const DELIVERY_VARIABLES = {
  SMTP_URL: { isValid: isSmtpUrl, form: SMTP_URL_FORM },
  ROOTSTREAM_SMTP_CA: { isValid: () => true, form: 'the path of a PEM file' },
  ROOTSTREAM_MAIL_FROM: { isValid: (text: string) => parseSender(text) !== undefined, form: MAIL_FROM_FORM },
  ROOTSTREAM_SMS_WEBHOOK: { isValid: isSmsWebhook, form: SMS_WEBHOOK_FORM },
  ROOTSTREAM_SMS_BEARER: { isValid: isSmsSecret, form: SMS_SECRET_FORM },
  ROOTSTREAM_SMS_HMAC_KEY: { isValid: isSmsSecret, form: SMS_SECRET_FORM },
} as const

type DeliveryVariable = keyof typeof DELIVERY_VARIABLES

export interface DeliveryEnvironment {
  /** Undefined: none are sent. */
  readonly mail: SmtpOptions | undefined
  readonly sms: SmsOptions | undefined
  /** Variables that are missing beside others, or too many, and what they must be. */
  readonly wrong: readonly (readonly [DeliveryVariable, string])[]
}

/** @param values by variable, each of its form */
export function readDelivery(
  values: Readonly<Partial<Record<DeliveryVariable, string | undefined>>>,
): DeliveryEnvironment {
  const { SMTP_URL: server, ROOTSTREAM_MAIL_FROM: from, ROOTSTREAM_SMTP_CA: ca } = values
  const { ROOTSTREAM_SMS_WEBHOOK: webhook, ROOTSTREAM_SMS_BEARER: bearer, ROOTSTREAM_SMS_HMAC_KEY: hmac } = values
  const secret = bearer ?? hmac
  const wrong: [DeliveryVariable, string][] = []
  if (server !== undefined && from === undefined)
    wrong.push(['ROOTSTREAM_MAIL_FROM', `set where SMTP_URL is: ${MAIL_FROM_FORM}`])
  if (webhook !== undefined && (secret === undefined || (bearer !== undefined && hmac !== undefined))) {
    const form = `set where ROOTSTREAM_SMS_WEBHOOK is, one of the two: ${SMS_SECRET_FORM}`
    wrong.push(['ROOTSTREAM_SMS_BEARER', form], ['ROOTSTREAM_SMS_HMAC_KEY', form])
  }
  return {
    mail:
      server === undefined || from === undefined
        ? undefined
        : { url: server, from, ...(ca === undefined ? {} : { ca }) },
    sms:
      webhook === undefined || secret === undefined
        ? undefined
        : { url: webhook, auth: { kind: bearer === undefined ? 'hmac' : 'bearer', secret } },
    wrong,
  }
}
