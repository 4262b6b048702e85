/** Who asks, of routes for users: the session of a bearer token or a cookie, and what is known of the client. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccountRefusal } from '../accounts/answers.ts'
import type { Client } from '../accounts/client.ts'
import type { ValidSession } from '../accounts/validation.ts'
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { clientAddress } from './client-address.ts'
import { type Cookie, clearCookie, readCookie, setCookie } from './cookies.ts'
import { accountProblem, sendProblem } from './problem.ts'

const SESSION: Cookie = { name: '__Host-rootstream-session', sameSite: 'Lax' }
const REMEMBER: Cookie = { name: '__Host-rootstream-remember', sameSite: 'Strict' }

/** The token of a request. Throws AppError `invalid_input` where a cookie comes from a page of another site. */
export function tokenOf(request: FastifyRequest): string | undefined {
  return bearerOf(request) ?? cookieOf(request, SESSION)
}

export function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,512})$/.exec(headers.authorization ?? '')?.[1]
}

/** Throws as `tokenOf`. */
export function rememberCookieOf(request: FastifyRequest): string | undefined {
  return cookieOf(request, REMEMBER)
}

/** Whether the token of a request came in a cookie: a new one goes the same way. */
export function usesCookie(request: FastifyRequest): boolean {
  return request.headers.authorization === undefined && readCookie(request, SESSION) !== undefined
}

function setSessionCookie(reply: FastifyReply, token: string, expiresAt: string): void {
  setCookie(reply, SESSION, token, expiresAt)
}

interface Tokens {
  readonly token: string
  readonly expiresAt: string
  readonly rememberToken?: string | undefined
  readonly rememberedUntil?: string | undefined
}

/** Both cookies of a session, where it has both. */
export function setSessionCookies(reply: FastifyReply, session: Tokens): void {
  setSessionCookie(reply, session.token, session.expiresAt)
  if (session.rememberToken !== undefined)
    setCookie(reply, REMEMBER, session.rememberToken, session.rememberedUntil ?? session.expiresAt)
}

export function clearSessionCookie(reply: FastifyReply): void {
  for (const cookie of [SESSION, REMEMBER]) clearCookie(reply, cookie)
}

export function clientOf(request: FastifyRequest): Client {
  const { 'user-agent': userAgent, 'x-device-id': deviceId, 'x-device-fingerprint': device } = request.headers
  const { trustedProxies, fingerprint } = request.server.clients
  const ipAddress = clientAddress(request.socket.remoteAddress, request.headers['x-forwarded-for'], trustedProxies)
  return {
    ...(ipAddress === undefined ? {} : { ipAddress }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(typeof deviceId === 'string' ? { deviceId } : {}),
    ...(typeof device === 'string' ? { deviceFingerprint: fingerprint(device) } : {}),
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

function cookieOf(request: FastifyRequest, cookie: Cookie): string | undefined {
  const value = readCookie(request, cookie)
  if (value !== undefined && !isSafe(request.method)) refuseOtherSites(request)
  return value
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
