/** Reads the address of a mail server. */
import { AppError } from '../../core/errors.ts'
import { isLoopback } from './loopback.ts'

export const SMTP_URL_FORM =
  'smtp://[access@]host[:port] (STARTTLS, asked for but on loopback) or smtps://… (TLS from the start), ' +
  'access being user:password, special characters percent-encoded; ?tls=off sends in the clear, without a password'

interface SmtpServer {
  readonly host: string
  readonly port: number
  readonly user?: string
  readonly password?: string
  /** `offered`: STARTTLS where the server has it. */
  readonly encryption: 'tls' | 'starttls' | 'offered' | 'none'
}

export function isSmtpUrl(text: string): boolean {
  try {
    parseSmtpUrl(text)
    return true
  } catch {
    return false
  }
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
