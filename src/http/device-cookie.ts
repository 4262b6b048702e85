/** The cookie of a trusted device: it opens nothing by itself, and spares the second factor at a login. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Cookie, clearCookie, readCookie, setCookie } from './cookies.ts'

const DEVICE: Cookie = { name: '__Host-rootstream-device', sameSite: 'Strict' }

/** What the device of a request shows, where it shows one token. */
export function deviceTokenOf(request: FastifyRequest): string | undefined {
  return readCookie(request, DEVICE)
}

interface Told {
  readonly deviceToken?: string
  readonly deviceExpiresAt?: string
}

/** The same answer, its device token kept in the cookie where that is wanted. */
export function keepDevice<Answer extends Told>(reply: FastifyReply, answer: Answer, asCookie: boolean): Answer {
  const { deviceToken, deviceExpiresAt, ...rest } = answer
  if (!asCookie || deviceToken === undefined || deviceExpiresAt === undefined) return answer
  setCookie(reply, DEVICE, deviceToken, deviceExpiresAt)
  return { ...rest, deviceExpiresAt } as Answer
}

export function clearDevice(reply: FastifyReply): void {
  clearCookie(reply, DEVICE)
}
