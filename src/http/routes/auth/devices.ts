/** Trusted devices: where a login asks for no second factor for a while. */
import { z } from 'zod'
import { answers } from '../../api-document.ts'
import { clearDevice, keepDevice } from '../../device-cookie.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { label, rowPath } from '../../input.ts'
import { clientOf, sendRefusal, sessionOf, shownToken, usesCookie } from '../../session.ts'
import { deviceGiven } from './device-trust.ts'

const shownDevice = z.object({
  id: z.int().min(1),
  label: z.string(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
  expiresAt: z.iso.datetime(),
})

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
      const trusted = await devices.trust(shownToken(request), request.body.label, clientOf(request))
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
