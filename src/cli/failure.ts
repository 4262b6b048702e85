/** How the failure of a command is told, and the exit code it ends with. */
import { AppError, ERRORS } from '../core/errors.ts'
import { redactText } from '../redaction.ts'
import { write } from './output.ts'

/** Tells what happened and what to do next, without a stack, and sets the exit code. */
export function fail(error: unknown, json: boolean): void {
  const known = error instanceof AppError ? error : refusedBySystem(error)
  const code = known?.code ?? 'internal'
  const message = redactText(error instanceof Error ? (known ?? error).message : String(error))
  const reason = known === undefined ? undefined : unreachedBecause(known)
  process.exitCode = known?.exitCode ?? 70
  if (json) {
    const details = { ...known?.details, ...(reason === undefined ? {} : { reason }) }
    write(2, `${JSON.stringify({ error: { code, message, retryable: known?.retryable ?? false, details } })}\n`)
    return
  }
  write(2, `rootstream: ${message}\n`)
  if (reason !== undefined) write(2, `The reason: ${reason}\n`)
  if (known === undefined)
    write(2, `This is a mistake of the runtime. ${redactText(error instanceof Error ? (error.stack ?? '') : '')}\n`)
  else if (ERRORS[known.code].retryable) write(2, 'It may succeed when it is tried again.\n')
}

/** A file or address that the system did not give: no space left, no permission, nothing of that name. */
function refusedBySystem(error: unknown): AppError | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return new AppError(
    'setup_failed',
    `The system refused what is needed (${error.message}). What was acknowledged is safe; mend that and try again.`,
    { cause: error },
  )
}

/** Which server did not answer, and how; callers of the API are not told. */
function unreachedBecause({ code, cause }: AppError): string | undefined {
  if (code !== 'log_unavailable' && code !== 'bus_unavailable') return undefined
  if (cause instanceof AggregateError) return redactText(cause.errors.map(each => each.message).join('; '))
  return cause instanceof Error && 'code' in cause ? redactText(cause.message) : undefined
}
