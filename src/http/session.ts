/** Who asks, of routes for users: the session of a bearer token or a cookie, and what is known of the client. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type AccountRefusal, refused } from '../accounts/answers.ts'
import type { Client } from '../accounts/client.ts'
import type { ShownTokens } from '../accounts/refresh.ts'
import type { ValidSession } from '../accounts/validation.ts'
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { bearerTokenOf } from './bearer.ts'
import { clientAddress } from './client-address.ts'
import { type Cookie, clearCookie, readCookie, setCookie } from './cookies.ts'
import { accountProblem, sendProblem } from './problem.ts'
import { type Access, USER_ROUTES } from './route-permissions.ts'

const SESSION: Cookie = { name: '__Host-rootstream-session', sameSite: 'Lax' }
const REMEMBER: Cookie = { name: '__Host-rootstream-remember', sameSite: 'Strict' }

/** The token of a request. Throws AppError `invalid_input` where a cookie comes from a page of another site. */
export function tokenOf(request: FastifyRequest): string | undefined {
  return bearerOf(request) ?? cookieOf(request, SESSION)
}

/** The token of a request, or one that opens nothing. Throws as `tokenOf`. */
export function shownToken(request: FastifyRequest): string {
  return tokenOf(request) ?? ''
}

export function bearerOf({ headers }: FastifyRequest): string | undefined {
  return bearerTokenOf(headers.authorization)
}

/** Both tokens of a session, in cookies where the request shows no token itself. Throws as `tokenOf`. */
export function tokensOf(request: FastifyRequest): ShownTokens {
  const token = bearerOf(request)
  return token === undefined ? cookiesOf(request) : { token }
}

/** What new cookies take the place of: the session of the old ones is over then (OWASP ASVS 5.0, 7.2.4). Throws as `tokenOf`. */
export function cookiesOf(request: FastifyRequest): ShownTokens {
  return { token: cookieOf(request, SESSION), rememberToken: cookieOf(request, REMEMBER) }
}

/** Whether the token of a request came in a cookie: a new one goes the same way. */
export function usesCookie(request: FastifyRequest): boolean {
  return bearerOf(request) === undefined && readCookie(request, SESSION) !== undefined
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

/** Sessions that were validated for a request, so that it is done once. */
const validated = new WeakMap<FastifyRequest, ValidSession>()

/** The session a route works for; where there is none, the answer is sent and this is undefined. */
export async function sessionOf(
  node: RuntimeNode,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ValidSession | undefined> {
  const known = validated.get(request)
  if (known !== undefined) return known
  const session = await node.accounts.validate(shownToken(request), clientOf(request))
  if (session.ok) {
    validated.set(request, session)
    return session
  }
  sendRefusal(reply, session)
  return undefined
}

/**
 * Holds each route to its row of the table before anything of its body is read.
 * @param needsToken whether somebody who shows nothing is nobody: not on the socket, whose file says who may ask
 */
export function guardUserRoutes(app: Pick<FastifyInstance, 'addHook'>, node: RuntimeNode, needsToken: boolean): void {
  app.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request)
    if (access === 'route' && needsToken && tokenOf(request) === undefined)
      sendRefusal(reply, refused('invalid_session'))
    else if (access !== undefined && access !== 'anyone' && access !== 'route')
      await permittedSession(node, request, reply)
  })
}

function accessOf({ method, routeOptions }: FastifyRequest): Access | undefined {
  return USER_ROUTES[`${method} ${routeOptions.url}`]
}

/** The session a route works for, where it has the permission that the table says; otherwise the answer is sent. */
export async function permittedSession(
  node: RuntimeNode,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ValidSession | undefined> {
  const access = accessOf(request)
  if (access === undefined || access === 'anyone' || access === 'route')
    throw new Error(`${request.method} ${request.routeOptions.url} asks for no permission`)
  const session = await sessionOf(node, request, reply)
  if (session === undefined || access === 'session') return session
  const refusal = node.accounts.authorize(session, access)
  if (refusal === undefined) return session
  sendRefusal(reply, refusal)
  return undefined
}

export function sendRefusal(reply: FastifyReply, refusal: AccountRefusal): FastifyReply {
  if (refusal.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(refusal.retryAfterMs / 1_000)))
  return sendProblem(reply, accountProblem(refusal))
}

function cookieOf(request: FastifyRequest, cookie: Cookie): string | undefined {
  const value = readCookie(request, cookie)
  if (value !== undefined) refuseOtherSites(request)
  return value
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * Browsers say where a request comes from; a page elsewhere cannot make them leave it out. Older ones say it only of what
 * changes something; a link that leads here is refused where they do, for a session that is bound to a device would take it for another.
 */
function refuseOtherSites({ method, headers }: FastifyRequest): void {
  const { 'sec-fetch-site': site, origin, host } = headers
  const same =
    typeof site === 'string' ? site === 'same-origin' || site === 'none' : isSafe(method) || hostOf(origin) === host
  if (!same)
    throw new AppError(
      'invalid_input',
      'The cookie of a session came with a request from another site. Nothing was changed. Send the token as a bearer token.',
    )
}

function hostOf(origin: string | undefined): string | undefined {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined
}
