/** Errors and refusals as problem+json (RFC 9457), from the one error table. */
import type { FastifyReply } from 'fastify'
import { AppError, ERRORS, type ErrorCode } from '../core/errors.ts'
import type { Refusal } from '../core/result.ts'

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
} as const

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
    actor: `${refusal.actor.type}/${refusal.actor.id}`,
    state: refusal.state,
    version: refusal.version,
    allowed: refusal.allowed,
  }
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 503) reply.header('retry-after', '1')
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem))
}

/** Any throw as an AppError: what fastify itself refuses is input, the rest is a bug and says nothing about itself. */
export function asAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status >= 500) return undefined
  const code: ErrorCode = status === 413 ? 'payload_too_large' : status === 404 ? 'not_found' : 'invalid_input'
  return new AppError(code, `${(error as Error).message}. Nothing was changed.`)
}

function urn(code: string): string {
  return `urn:rootstream:error:${code.replaceAll('_', '-')}`
}
