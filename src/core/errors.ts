/** The one table of operational errors: what each is called, and what HTTP, the shell and a retrying caller make of it. */

interface ErrorClass {
  readonly status: number
  readonly exitCode: number
  readonly retryable: boolean
  readonly meaning: string
}

export const ERRORS = {
  invalid_input: {
    status: 400,
    exitCode: 2,
    retryable: false,
    meaning: 'The input does not have the form that is asked for. Nothing was changed.',
  },
  invalid_event: {
    status: 422,
    exitCode: 2,
    retryable: false,
    meaning: "The event's data fails its schema or cannot be stored. Nothing was changed.",
  },
  unauthorized: { status: 401, exitCode: 3, retryable: false, meaning: 'The token is missing or wrong.' },
  not_found: { status: 404, exitCode: 4, retryable: false, meaning: 'There is nothing under that address.' },
  unknown_type: { status: 404, exitCode: 4, retryable: false, meaning: 'No entity or event has that name.' },
  command_id_reused: {
    status: 409,
    exitCode: 5,
    retryable: false,
    meaning: 'The command id was spent on another command. Nothing was changed.',
  },
  payload_too_large: { status: 413, exitCode: 2, retryable: false, meaning: 'The request is larger than the limit.' },
  headers_too_large: { status: 431, exitCode: 2, retryable: false, meaning: 'The headers are larger than the limit.' },
  request_timeout: {
    status: 408,
    exitCode: 6,
    retryable: true,
    meaning: 'The request did not arrive in time. Nothing was changed.',
  },
  conflict: {
    status: 409,
    exitCode: 5,
    retryable: true,
    meaning: 'Other writers kept changing the actor. Nothing was changed by this command.',
  },
  not_live: {
    status: 409,
    exitCode: 5,
    retryable: false,
    meaning: 'The actor is in no state with live figures. Nothing was changed.',
  },
  fenced: {
    status: 409,
    exitCode: 5,
    retryable: false,
    meaning: 'Another owner has taken the lease. Nothing was changed by this command.',
  },
  overloaded: { status: 503, exitCode: 6, retryable: true, meaning: 'A queue is full. The command was not taken.' },
  actor_restarting: {
    status: 503,
    exitCode: 6,
    retryable: true,
    meaning: 'The actor failed and waits before it starts again. The command was not taken.',
  },
  actor_failed: {
    status: 500,
    exitCode: 70,
    retryable: true,
    meaning: 'The actor failed on this command. Nothing was changed.',
  },
  log_unavailable: {
    status: 503,
    exitCode: 6,
    retryable: true,
    meaning:
      'The log could not be reached in time. Retry with the same command id: it settles whether the command was taken.',
  },
  bus_unavailable: {
    status: 503,
    exitCode: 6,
    retryable: true,
    meaning: 'Redis could not be reached. The log is untouched; nodes catch up from it.',
  },
  shutting_down: {
    status: 503,
    exitCode: 6,
    retryable: true,
    meaning: 'The node is stopping. The command was not taken.',
  },
  already_running: { status: 409, exitCode: 7, retryable: false, meaning: 'Another node uses this data directory.' },
  missing_grant: {
    status: 500,
    exitCode: 8,
    retryable: false,
    meaning: 'The database role lacks a right that the message names.',
  },
  schema_mismatch: {
    status: 500,
    exitCode: 9,
    retryable: false,
    meaning: 'The database is not at the version this code needs, or newer code wrote an event that is asked for.',
  },
  history_drift: {
    status: 500,
    exitCode: 10,
    retryable: false,
    meaning: 'Replaying the log with this code leads to another state than the one recorded.',
  },
  projection_mismatch: {
    status: 500,
    exitCode: 11,
    retryable: false,
    meaning: 'The read tables differ from what the log says.',
  },
  corrupt_data: { status: 500, exitCode: 12, retryable: false, meaning: 'Stored data cannot be read back.' },
  setup_failed: {
    status: 500,
    exitCode: 13,
    retryable: false,
    meaning: 'A server or directory the node needs could not be prepared.',
  },
  audit_broken: {
    status: 500,
    exitCode: 14,
    retryable: false,
    meaning: 'The log or its seals are not what was sealed.',
  },
} as const satisfies Record<string, ErrorClass>

export type ErrorCode = keyof typeof ERRORS

export function isErrorCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code
}

/**
 * An operational failure: foreseen, named by its code, told to the user. Bugs are plain errors.
 * `message` says what happened, what was not lost and what to do next; it never carries secrets or the values of a payload.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'AppError'
    this.code = code
    this.details = options.details ?? {}
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get exitCode(): number {
    return ERRORS[this.code].exitCode
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }
}
