/** Mails over SMTP, by nodemailer: a few connections that are kept, TLS wherever a network lies between. */
import { readFileSync } from 'node:fs'
import { createTransport } from 'nodemailer'
import { AppError } from '../../core/errors.ts'
import type { Attempt, Carrier } from './delivery.ts'
import { isMailAddress, MAIL_FROM_FORM, parseSender } from './mail-address.ts'
import { parseSmtpUrl } from './smtp-url.ts'

export interface SmtpOptions {
  /** See `SMTP_URL_FORM`. */
  readonly url: string
  /** See `MAIL_FROM_FORM`. */
  readonly from: string
  /** PEM file of the authorities to trust instead of the system's. */
  readonly ca?: string
}

export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

const WAIT_MS = 10_000

/** Throws AppError `invalid_input`, `setup_failed`. Connects with the first mail. */
export function createSmtp({ url, from, ca }: SmtpOptions): Carrier<Mail> {
  const server = parseSmtpUrl(url)
  const sender = parseSender(from)
  if (sender === undefined)
    throw new AppError('invalid_input', `The sender of mails must be ${MAIL_FROM_FORM}. Nothing was started.`)
  const { host, port, user, password, encryption } = server
  const transport = createTransport({
    pool: true,
    maxConnections: 4,
    // The outbox tries again, with pauses and an end.
    maxRequeues: 0,
    idleTimeout: 30_000,
    host,
    port,
    secure: encryption === 'tls',
    requireTLS: encryption === 'starttls',
    ignoreTLS: encryption === 'none',
    ...(user === undefined ? {} : { auth: { user, pass: password } }),
    ...(ca === undefined ? {} : { tls: { ca: readAuthorities(ca) } }),
    connectionTimeout: WAIT_MS,
    greetingTimeout: WAIT_MS,
    socketTimeout: WAIT_MS,
    dnsTimeout: WAIT_MS,
    maxResponseSize: 64 * 1_024,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    send: async ({ to, subject, text }, id, signal): Promise<Attempt> => {
      if (!isMailAddress(to)) return { sent: false, why: 'the address is no plain mail address' }
      try {
        await transport.sendMail({
          from: sender,
          to: { name: '', address: to },
          envelope: { from: sender.address, to: [to] },
          subject,
          text,
          // The same in each attempt, for servers that drop what they have had.
          messageId: `<${id}@${sender.address.split('@')[1]}>`,
          headers: { 'Auto-Submitted': 'auto-generated' },
          signal,
        })
        return { sent: true }
      } catch (error) {
        const { permanent, responseCode } = error as { permanent?: boolean; responseCode?: number }
        if (permanent === true) return { sent: false, why: `the mail server refused it: ${responseCode}` }
        throw error
      }
    },
    close: () => transport.close({ force: true }),
  }
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new AppError(
      'setup_failed',
      'The certificates of the authorities for the mail server could not be read. Nothing was started. Check the path and its permissions.',
      { cause: error },
    )
  }
}
