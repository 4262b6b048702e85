/** The only reading of Postgres error codes: what went wrong, in the words of the error table. */
import pg from 'pg'
import { AppError } from '../core/errors.ts'

// Class 08: connection. 57P01–57P03: the server shuts down or starts. 53300: no connection left. 25006: a replica.
const UNAVAILABLE = /^(?:08|57P0[123]|53300|25006)/
const SOCKET = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
])
// node-postgres gives these failures no code.
const LOST =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|not queryable|Client was closed/i

/** The server could not be asked, or went away before it answered. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = sqlState(error)
  return code === undefined ? LOST.test(error.message) : UNAVAILABLE.test(code) || SOCKET.has(code)
}

/** The statement holds a value that Postgres cannot store: the fault of one row, not of the server. */
export function isBadValue(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(?:22|23|54)/.test(error.code ?? '')
}

export function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Any failure of a query as an AppError; what is none of Postgres' is returned as it is. */
export function toAppError(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (isConnectionLoss(error))
    return new AppError(
      'log_unavailable',
      'Postgres could not be reached. What was acknowledged is safe; retry with the same command id.',
      { cause: error },
    )
  const code = sqlState(error)
  if (code === '53100' || code === '53200')
    return new AppError(
      'log_unavailable',
      `Postgres has no ${code === '53100' ? 'disk space' : 'memory'} left. What was acknowledged is safe; make room and retry with the same command id.`,
      { cause: error },
    )
  if (code === '57014')
    return new AppError(
      'log_unavailable',
      'Postgres did not answer in time. Nothing that was acknowledged is lost; retry.',
      { cause: error },
    )
  if (code === '42501')
    return new AppError('missing_grant', `The database role lacks a right: ${(error as Error).message}.`, {
      cause: error,
    })
  if (code === '42P01' || code === '42883' || code === '42703')
    return new AppError(
      'schema_mismatch',
      `The database lacks something this code needs (${(error as Error).message}). Run: rootstream migrate`,
      { cause: error },
    )
  // Raised by our own migrations, which say what is missing.
  if (code === 'RS002')
    return new AppError('schema_mismatch', `${(error as Error).message}. Nothing was changed.`, { cause: error })
  if (code === '28P01' || code === '28000' || code === '3D000')
    return new AppError(
      'setup_failed',
      `Postgres refused the connection: ${(error as Error).message}. Check DATABASE_URL.`,
      { cause: error },
    )
  return error
}
