/** The only reading of Postgres error codes: what went wrong, in the words of the error table. */
import pg from 'pg'
import { AppError } from '../core/errors.ts'

const READ_ONLY = '25006'
// Class 08: connection. 57P01–57P03: the server shuts down or starts. 53300: no connection left. 25006: a replica.
const UNAVAILABLE = /^(?:08...|57P0[1-5]|53300|25006)$/
const SOCKET = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ERR_SOCKET_CLOSED',
])
// node-postgres gives these failures no code.
const LOST =
  /Connection terminated|timeout exceeded when trying to connect|^timeout expired$|Query read timeout|not queryable|Client was closed/i
const TIMEOUT =
  /timeout exceeded when trying to connect|^timeout expired$|Query read timeout|due to connection timeout/i
// What TLS calls a certificate that it cannot follow to an authority, or that is another host's.
const CERTIFICATE = /SELF_SIGNED|UNABLE_TO_|CERT_|ERR_TLS|HOSTNAME_MISMATCH/

/** The server could not be asked, or went away before it answered. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = sqlState(error)
  return code === undefined ? LOST.test(error.message) : UNAVAILABLE.test(code) || SOCKET.has(code)
}

/** The connection loss took its time to show: trying at once again would only take as long again. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && TIMEOUT.test(error.message)
}

/** Postgres undid the statement for the sake of another one: the same statement may succeed next time. */
export function isRolledBack(error: unknown): boolean {
  return /^(?:40001|40P01|55P03)$/.test(sqlState(error) ?? '')
}

/** The statement holds a value that Postgres cannot store: the fault of one row, not of the server. */
export function isBadValue(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(?:21|22|23|54)/.test(error.code ?? '')
}

export function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Any failure of a query as an AppError; what is none of Postgres' is returned as it is. */
export function toAppError(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error
  const told = tell(error)
  return told === undefined ? error : new AppError(told[0], told[1], { cause: error })
}

function tell(error: Error): [code: ConstructorParameters<typeof AppError>[0], message: string] | undefined {
  const code = sqlState(error)
  if (code === READ_ONLY)
    return [
      'log_unavailable',
      `Postgres takes no writes (${error.message}): it is a replica, or was set to read only. What was acknowledged is safe; see that DATABASE_URL leads to the primary, and retry with the same command id.`,
    ]
  if (isConnectionLoss(error))
    return [
      'log_unavailable',
      'Postgres could not be reached. What was acknowledged is safe; retry with the same command id.',
    ]
  if (/after calling end on the pool/.test(error.message))
    return ['shutting_down', 'The log is closed. The command was not taken.']
  if (/^SASL: .*client password must be/.test(error.message))
    return ['setup_failed', 'Postgres asks for a password, and DATABASE_URL has none. Nothing was changed.']
  if (/does not support SSL/.test(error.message) || CERTIFICATE.test(code ?? ''))
    return [
      'setup_failed',
      `Postgres could not be reached by TLS (${error.message}). Check sslmode and sslrootcert in DATABASE_URL.`,
    ]
  switch (code) {
    case '53100':
      return [
        'log_unavailable',
        'Postgres has no disk space left. What was acknowledged is safe; make room and retry with the same command id.',
      ]
    case '53200':
      return [
        'log_unavailable',
        'Postgres has no memory left. What was acknowledged is safe; make room and retry with the same command id.',
      ]
    case '53400':
    case '58030':
      return [
        'log_unavailable',
        `Postgres cannot work (${error.message}). What was acknowledged is safe; see its log, then retry with the same command id.`,
      ]
    case '57014':
    case '55P03':
    case '40001':
    case '40P01':
      return [
        'log_unavailable',
        `Postgres gave up a statement (${error.message}). Nothing that was acknowledged is lost; retry.`,
      ]
    case '42501':
      return [
        'missing_grant',
        `The database role lacks a right (${error.message}). Nothing was changed. As an administrator run: ${permission(error.message, 'the role of DATABASE_URL')}`,
      ]
    case '42P01':
    case '42883':
    case '42703':
      return [
        'schema_mismatch',
        `The database lacks something this code needs (${error.message}). Run: rootstream migrate`,
      ]
    // Raised by our own migrations, which say what is missing.
    case 'RS002':
      return ['schema_mismatch', `${error.message}. Nothing was changed.`]
    case 'XX001':
    case 'XX002':
      return ['corrupt_data', `Postgres found damaged data (${error.message}). Restore from a backup.`]
    case '28P01':
    case '28000':
    case '3D000':
      return ['setup_failed', `Postgres refused the connection: ${error.message}. Check DATABASE_URL.`]
    case '3F000':
      return [
        'setup_failed',
        `The database has no schema for what is made (${error.message}). Nothing was changed. Check search_path, of the role or in DATABASE_URL.`,
      ]
    default:
      return isFatal(error)
        ? [
            'log_unavailable',
            `Postgres refused or ended the session: ${error.message}. What was acknowledged is safe; mend that or check DATABASE_URL, and retry with the same command id.`,
          ]
        : undefined
  }
}

/** The server closes the session after it, so it is no fault of a statement of ours. */
function isFatal(error: Error): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'FATAL'
}

const RIGHTS: Readonly<Record<string, string>> = {
  schema: 'usage, create',
  table: 'select, insert, update, delete',
  view: 'select',
  sequence: 'usage, select',
  function: 'execute',
  database: 'connect',
}

/** The statement that permits what "permission denied for …" or "must be owner of …" is about. */
export function permission(message: string, role: string): string {
  const [, kind = '', name = ''] = /(?:permission denied for|must be owner of) (\w+) (\S+)/.exec(message) ?? []
  // "relation" is what Postgres calls a table that it has not looked at yet.
  const object = `${kind === 'relation' ? 'table' : kind} ${name}`
  if (message.startsWith('must be owner')) return `alter ${object} owner to ${role};`
  return `grant ${RIGHTS[kind] ?? 'all'} on ${object} to ${role};`
}
