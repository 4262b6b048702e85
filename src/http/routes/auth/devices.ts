/** Trusted devices: where a login asks for no second factor for a while. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { OpenedSession } from '../../../accounts/sessions.ts'
import type { RuntimeNode } from '../../../app.ts'
import { answers } from '../../api-document.ts'
import { clearDevice, keepDevice } from '../../device-cookie.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { rowPath } from '../../input.ts'
import { clientOf, sendRefusal, sessionOf, tokenOf, usesCookie } from '../../session.ts'

const label = z
  .string()
  .min(1)
  .max(100)
  .regex(/^\P{Cc}+$/u, 'has control characters')

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

const shownDevice = z.object({
  id: z.int().min(1),
  label: z.string(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
  expiresAt: z.iso.datetime(),
})

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

export function deviceRoutes(app: HttpApp, { node }: HttpShared): void {
  const { devices } = node.accounts
  const config = { forUsers: true }
  const tags = ['accounts']

  app.get(
    '/api/auth/devices',
    {
      config,
      schema: {
        summary: 'The trusted devices of the user',
        operationId: 'listDevices',
        tags,
        ...answers({ 200: z.object({ devices: z.array(shownDevice) }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      return reply.send({ devices: [...(await devices.list(session.userId))] })
    },
  )

  app.post(
    '/api/auth/devices/trust',
    {
      config,
      schema: {
        summary: 'Trust this device',
        description: 'Needs a factor shown a moment ago. A change of the password or of the factors ends all trust.',
        operationId: 'trustDevice',
        tags,
        body: z.strictObject({ label: label.optional() }),
        ...answers({ 200: z.object(deviceGiven) }, { account: true }),
      },
    },
    async (request, reply) => {
      const trusted = await devices.trust(tokenOf(request) ?? '', request.body.label, clientOf(request))
      if (!trusted.ok) return sendRefusal(reply, trusted)
      const { ok: _, ...given } = keepDevice(reply, trusted, usesCookie(request))
      return reply.send(given)
    },
  )

  app.post(
    '/api/auth/devices/:id/revoke',
    {
      config,
      schema: {
        summary: 'Trust a device no more',
        operationId: 'revokeDevice',
        tags,
        params: rowPath,
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      await devices.revoke(session.userId, request.params.id)
      return reply.code(204).send()
    },
  )

  app.post(
    '/api/auth/devices/revoke',
    {
      config,
      schema: {
        summary: 'Trust no device any more',
        operationId: 'revokeDevices',
        tags,
        ...answers({ 200: z.object({ revoked: z.int().min(0).describe('How many there were.') }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const revoked = await devices.revokeAll(session.userId)
      clearDevice(reply)
      return reply.send({ revoked })
    },
  )
}
