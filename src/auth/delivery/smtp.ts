/** Mails over SMTP, by nodemailer: a few connections that are kept, TLS wherever a network lies between. */
import { readFileSync } from 'node:fs'
import { createTransport } from 'nodemailer'
import { AppError } from '../../core/errors.ts'
import type { Attempt, Carrier } from './delivery.ts'
import { isLoopback } from './loopback.ts'
import { isMailAddress, parseSender } from './mail-address.ts'

export const SMTP_URL_FORM =
  'smtp://[user:password@]host[:port] (STARTTLS, asked for but on loopback) or smtps://… (TLS from the start), ' +
  'special characters percent-encoded; ?tls=off sends in the clear, without a password'
export const MAIL_FROM_FORM = 'ops@example.org or RootStream <ops@example.org>'

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

interface SmtpServer {
  readonly host: string
  readonly port: number
  readonly user?: string
  readonly password?: string
  /** `offered`: STARTTLS where the server has it. */
  readonly encryption: 'tls' | 'starttls' | 'offered' | 'none'
}

/**
 * Only what is named in `SMTP_URL_FORM`: nodemailer itself would take any of its options from the query, logging and unchecked
 * certificates among them. Throws AppError `invalid_input`, without the text it was given: that may hold a password.
 */
export function parseSmtpUrl(text: string): SmtpServer {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'smtps:'
  if (url === undefined || !(secure || url.protocol === 'smtp:') || url.hostname === '' || !/^\/?$/.test(url.pathname))
    throw unusable('is no such address')
  const off = url.search === '?tls=off'
  if ((url.search !== '' && !off) || url.hash !== '') throw unusable('has options that are not known')
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const [user, password] = [decoded(url.username), decoded(url.password)]
  if (off && (secure || user !== '')) throw unusable('sends nothing secret without TLS: leave user and password out')
  const encryption = secure ? 'tls' : off ? 'none' : isLoopback(host) ? 'offered' : 'starttls'
  const port = url.port === '' ? (secure ? 465 : 587) : Number(url.port)
  return { host, port, encryption, ...(user === '' ? {} : { user, password }) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw unusable('has a password or user that is not percent-encoded', error)
  }
}

function unusable(why: string, cause?: unknown): AppError {
  return new AppError(
    'invalid_input',
    `The address of the mail server ${why}. Nothing was started. It must be ${SMTP_URL_FORM}.`,
    cause === undefined ? {} : { cause },
  )
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
