/** Cookies of this host alone, out of reach of scripts. */
import type { FastifyReply, FastifyRequest } from 'fastify'

export interface Cookie {
  /** `__Host-`: browsers take it only from this very host, over TLS (or on localhost), for all paths. */
  readonly name: `__Host-${string}`
  /** Strict where no page elsewhere has a reason to make a browser send it. */
  readonly sameSite: 'Lax' | 'Strict'
}

/** Undefined also where there are two of that name: one was planted. */
export function readCookie({ headers }: FastifyRequest, { name }: Cookie): string | undefined {
  const found = headers.cookie?.split(';').filter(pair => pair.trimStart().startsWith(`${name}=`)) ?? []
  return found.length === 1 ? found[0]?.trim().slice(name.length + 1) : undefined
}

/** @param expiresAt ISO 8601 */
export function setCookie(reply: FastifyReply, cookie: Cookie, value: string, expiresAt: string): void {
  reply.header('set-cookie', written(cookie, value, `Expires=${new Date(expiresAt).toUTCString()}`))
}

export function clearCookie(reply: FastifyReply, cookie: Cookie): void {
  reply.header('set-cookie', written(cookie, '', 'Max-Age=0'))
}

function written({ name, sameSite }: Cookie, value: string, lasts: string): string {
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=${sameSite}; ${lasts}`
}
