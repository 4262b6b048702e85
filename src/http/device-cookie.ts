/** The cookie of a trusted device: it opens nothing by itself, and spares the second factor at a login. */
import type { FastifyReply, FastifyRequest } from 'fastify'

/** `__Host-`: browsers take it only from this very host, over TLS (or on localhost), for all paths. */
const COOKIE = '__Host-rootstream-device'
/** Strict: no page elsewhere has a reason to make a browser send it. */
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict'

/** What the device of a request shows, where it shows one token. */
export function deviceTokenOf({ headers }: FastifyRequest): string | undefined {
  const found = headers.cookie?.split(';').filter(pair => pair.trimStart().startsWith(`${COOKIE}=`)) ?? []
  return found.length === 1 ? found[0]?.trim().slice(COOKIE.length + 1) : undefined
}

interface Told {
  readonly deviceToken?: string
  readonly deviceExpiresAt?: string
}

/** The same answer, its device token kept in the cookie where that is wanted. */
export function keepDevice<Answer extends Told>(reply: FastifyReply, answer: Answer, asCookie: boolean): Answer {
  const { deviceToken, deviceExpiresAt, ...rest } = answer
  if (!asCookie || deviceToken === undefined || deviceExpiresAt === undefined) return answer
  const expires = new Date(deviceExpiresAt).toUTCString()
  reply.header('set-cookie', `${COOKIE}=${deviceToken}; ${ATTRIBUTES}; Expires=${expires}`)
  return { ...rest, deviceExpiresAt } as Answer
}

export function clearDevice(reply: FastifyReply): void {
  reply.header('set-cookie', `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`)
}
