/** Puts together what a node sends by. */
import type { Clock, Logger } from '../../core/ports.ts'
import type { Carrier, Channel, Delivery } from './delivery.ts'
import { createOutbox, type OutboxLimits } from './outbox.ts'
import { createSmsWebhook, type SmsOptions, type TextMessage } from './sms-webhook.ts'
import type { Mail, SmtpOptions } from './smtp.ts'

export interface DeliveryOptions {
  readonly mail?: SmtpOptions | undefined
  readonly sms?: SmsOptions | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly limits?: Partial<OutboxLimits>
}

/** Throws AppError `invalid_input`, `setup_failed`. */
export async function openDelivery({ mail, sms, ...shared }: DeliveryOptions): Promise<Delivery> {
  // Loaded where there is a mail server alone.
  const smtp: Carrier<Mail> | undefined = mail === undefined ? undefined : (await import('./smtp.ts')).createSmtp(mail)
  const webhook: Carrier<TextMessage> | undefined = sms === undefined ? undefined : createSmsWebhook(sms, shared.clock)
  const mails = smtp === undefined ? undefined : createOutbox<Mail>({ ...shared, channel: 'mail', carrier: smtp })
  const texts =
    webhook === undefined ? undefined : createOutbox<TextMessage>({ ...shared, channel: 'sms', carrier: webhook })
  const opened = [mails, texts].filter(outbox => outbox !== undefined)
  return {
    offers: channel => (channel === 'mail' ? mails : texts) !== undefined,
    mail: (to, subject, text, sending) => existing(mails, 'mail').put({ to, subject, text }, sending),
    sms: (to, text, sending) => existing(texts, 'sms').put({ to, text }, sending),
    idle: async () => void (await Promise.all(opened.map(outbox => outbox.idle()))),
    stop: async () => void (await Promise.all(opened.map(outbox => outbox.stop()))),
  }
}

function existing<Outbox>(outbox: Outbox | undefined, channel: Channel): Outbox {
  if (outbox === undefined) throw new Error(`nothing was configured to send ${channel} by`)
  return outbox
}
