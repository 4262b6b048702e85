/** Trust in a device that is asked for while a factor is shown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { OpenedSession } from '../../../accounts/sessions.ts'
import type { RuntimeNode } from '../../../app.ts'
import { keepDevice } from '../../device-cookie.ts'
import { label } from '../../input.ts'
import { clientOf, usesCookie } from '../../session.ts'

/** Of bodies by which a factor is shown. */
export const trustWanted = {
  trustDevice: z
    .union([z.boolean(), label])
    .optional()
    .describe('Ask for no factor on this device for a while; a text is its label.'),
}

/** Of answers that may carry the token of a trusted device. */
export const deviceGiven = {
  deviceToken: z
    .string()
    .optional()
    .describe('To be shown at the next login, which gives another one; absent where it is kept in a cookie.'),
  deviceExpiresAt: z.iso.datetime().optional(),
}

/** After a factor was shown: the session with the token of its device, where that was asked for. */
export async function trustAsked<Session extends OpenedSession>(
  node: RuntimeNode,
  request: FastifyRequest,
  reply: FastifyReply,
  session: Session,
  asked: boolean | string | undefined,
): Promise<Session> {
  if (asked === undefined || asked === false) return session
  const name = typeof asked === 'string' ? asked : undefined
  const trusted = await node.accounts.devices.trust(session.token, name, clientOf(request))
  // The factor was shown all the same, and the session is open.
  return trusted.ok ? keepDevice(reply, { ...session, ...trusted }, usesCookie(request)) : session
}
