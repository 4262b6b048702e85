/** Errors and refusals as problem+json (RFC 9457), from the one error table. */
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ACCOUNT_REFUSALS, type AccountRefusal } from '../accounts/answers.ts'
import { AppError, ERRORS, type ErrorCode } from '../core/errors.ts'
import { formatActorRef } from '../core/ids.ts'
import type { Refusal, RefusalReason } from '../core/result.ts'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly retryable: boolean
  readonly [extra: string]: unknown
}

export const REFUSALS = {
  not_allowed: { status: 409, title: 'The state does not take this event.' },
  wrong_version: { status: 412, title: 'The actor has another version.' },
  claimed: { status: 409, title: 'Another actor holds that name.' },
  unknown_reference: { status: 422, title: 'The event names an actor that does not exist or is gone.' },
} as const satisfies Record<RefusalReason, { status: number; title: string }>

/** A bug says nothing about itself; the log of the node has it. */
export const INTERNAL: Problem = {
  type: urn('internal'),
  title: 'The node made a mistake.',
  status: 500,
  code: 'internal',
  detail:
    'It is in the log of the node. Retry with the same idempotency key: it settles whether the command was taken.',
  retryable: false,
}

export function problemOf(error: AppError): Problem {
  const { status, meaning, retryable } = ERRORS[error.code]
  return { type: urn(error.code), title: meaning, status, code: error.code, detail: error.message, retryable }
}

/** A refusal is an answer: it says the state and what the state allows. Nothing was written. */
export function refusalProblem(refusal: Refusal): Problem {
  const { status, title } = REFUSALS[refusal.reason]
  return {
    type: urn(refusal.reason),
    title,
    status,
    code: refusal.reason,
    detail: refusal.detail ?? title,
    retryable: false,
    actor: formatActorRef(refusal.actor),
    state: refusal.state,
    version: refusal.version,
    allowed: refusal.allowed,
  }
}

/** A refusal of accounts says no more than its receiver may know. */
export function accountProblem({ reason, detail, factors }: AccountRefusal): Problem {
  const { status, meaning } = ACCOUNT_REFUSALS[reason]
  const retryable = reason === 'too_many_attempts'
  const shown = factors === undefined ? {} : { factors }
  return { type: urn(reason), title: meaning, status, code: reason, detail, retryable, ...shown }
}

/** The part of a reply that a problem needs: replies differ in type from route to route. */
interface Reply {
  code(status: number): unknown
  header(name: string, value: string): unknown
  send(body: string): unknown
}

export function sendProblem<R extends Reply>(reply: R, problem: Problem): R {
  if (problem.status === 503) reply.header('retry-after', '1')
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  reply.code(problem.status)
  reply.header('content-type', 'application/problem+json; charset=utf-8')
  reply.send(JSON.stringify(problem))
  return reply
}

/** Any throw as an AppError: what fastify itself refuses is input, the rest is a bug. */
export function asAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status >= 500) return undefined
  if (status === 413)
    return new AppError('payload_too_large', 'The body is larger than the limit. Nothing was changed.')
  if (status === 415)
    return new AppError(
      'invalid_input',
      'The body is no JSON: send content-type: application/json. Nothing was changed.',
    )
  const code: ErrorCode = status === 404 ? 'not_found' : 'invalid_input'
  return new AppError(code, `${(error as Error).message}. Nothing was changed.`)
}

/** Answers a connection on which no whole request arrived, as far as it can still be answered, and ends it. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Node keeps the answer under way there; in the middle of one, another would be garbage.
  const { _httpMessage: underWay } = socket as Duplex & { _httpMessage?: ServerResponse | null }
  if (error.code === 'ECONNRESET' || !socket.writable || underWay?.headersSent === true) {
    socket.destroy()
    return
  }
  const problem = problemOf(brokenRequest(error.code))
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_TEXT[problem.status]}\r\nconnection: close\r\n` +
      `content-type: application/problem+json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

function brokenRequest(code: string | undefined): AppError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('request_timeout', 'The request did not arrive in time. Nothing was changed; send it again.')
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('headers_too_large', 'The headers are larger than the limit. Nothing was changed.')
    default:
      return new AppError('invalid_input', 'This is no HTTP/1.1 request. Nothing was changed.')
  }
}

function urn(code: string): string {
  return `urn:rootstream:error:${code.replaceAll('_', '-')}`
}
