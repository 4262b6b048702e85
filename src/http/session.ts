/** Who asks, of routes for users: the session of a bearer token or a cookie, and what is known of the client. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AccountRefusal } from '../accounts/answers.ts'
import type { Client } from '../accounts/client.ts'
import type { ValidSession } from '../accounts/validation.ts'
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { accountProblem, sendProblem } from './problem.ts'
import { type Access, USER_ROUTES } from './route-permissions.ts'

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
  const session = await node.accounts.validate(tokenOf(request) ?? '', clientOf(request))
  if (session.ok) {
    validated.set(request, session)
    return session
  }
  sendRefusal(reply, session)
  return undefined
}

/** Holds each route to its row of the table before anything of its body is read. */
export function guardUserRoutes(app: Pick<FastifyInstance, 'addHook'>, node: RuntimeNode): void {
  app.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request)
    if (access !== undefined && access !== 'anyone') await permittedSession(node, request, reply)
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
  if (access === undefined || access === 'anyone')
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
