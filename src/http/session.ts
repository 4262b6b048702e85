/** Who asks, of routes for users: the session of a bearer token or a cookie, and what is known of the client. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccountRefusal } from '../accounts/answers.ts'
import type { Client } from '../accounts/client.ts'
import type { ValidSession } from '../accounts/validation.ts'
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { accountProblem, sendProblem } from './problem.ts'

/** `__Host-`: browsers take it only from this very host, over TLS (or on localhost), for all paths. */
const COOKIE = '__Host-rootstream-session'
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax'

/** The token of a request. Throws AppError `invalid_input` where a cookie comes from a page of another site. */
export function tokenOf(request: FastifyRequest): string | undefined {
  const bearer = /^Bearer ([\x21-\x7e]{1,512})$/.exec(request.headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const cookie = cookieOf(request.headers.cookie)
  if (cookie !== undefined && !isSafe(request.method)) refuseOtherSites(request)
  return cookie
}

/** Whether the token of a request came in a cookie: a new one goes the same way. */
export function usesCookie(request: FastifyRequest): boolean {
  return request.headers.authorization === undefined && cookieOf(request.headers.cookie) !== undefined
}

export function setSessionCookie(reply: FastifyReply, token: string, expiresAt: string): void {
  reply.header('set-cookie', `${COOKIE}=${token}; ${ATTRIBUTES}; Expires=${new Date(expiresAt).toUTCString()}`)
}

export function clearSessionCookie(reply: FastifyReply): void {
  reply.header('set-cookie', `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`)
}

export function clientOf(request: FastifyRequest): Client {
  const { 'user-agent': userAgent, 'x-device-id': deviceId } = request.headers
  const ipAddress = request.socket.remoteAddress
  return {
    ...(ipAddress === undefined ? {} : { ipAddress: ipAddress.replace(/^::ffff:(?=\d+\.)/, '') }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(typeof deviceId === 'string' ? { deviceId } : {}),
  }
}

/** The session a route works for; where there is none, the answer is sent and this is undefined. */
export async function sessionOf(
  node: RuntimeNode,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ValidSession | undefined> {
  const session = await node.accounts.validate(tokenOf(request) ?? '', clientOf(request))
  if (session.ok) return session
  sendRefusal(reply, session)
  return undefined
}

export function sendRefusal(reply: FastifyReply, refusal: AccountRefusal): FastifyReply {
  if (refusal.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(refusal.retryAfterMs / 1_000)))
  return sendProblem(reply, accountProblem(refusal))
}

function cookieOf(header: string | undefined): string | undefined {
  const found = header?.split(';').filter(pair => pair.trimStart().startsWith(`${COOKIE}=`)) ?? []
  // Two of them: one was planted.
  return found.length === 1 ? found[0]?.trim().slice(COOKIE.length + 1) : undefined
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Browsers say where a request comes from; a page elsewhere cannot make them leave it out. */
function refuseOtherSites({ headers }: FastifyRequest): void {
  const { 'sec-fetch-site': site, origin, host } = headers
  const same = typeof site === 'string' ? site === 'same-origin' || site === 'none' : hostOf(origin) === host
  if (!same)
    throw new AppError(
      'invalid_input',
      'The cookie of a session came with a request from another site. Nothing was changed. Send the token as a bearer token.',
    )
}

function hostOf(origin: string | undefined): string | undefined {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined
}
