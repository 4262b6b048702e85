/** Signing in and out, and asking who one is. */
import { z } from 'zod'
import { METHODS } from '../../../machines/session/events.ts'
import { ROLES } from '../../../machines/user/events.ts'
import { answers } from '../../api-document.ts'
import { deviceTokenOf, keepDevice } from '../../device-cookie.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { clearSessionCookie, clientOf, cookiesOf, sendRefusal, sessionOf, tokensOf } from '../../session.ts'
import { deviceGiven } from './device-trust.ts'
import { opened, password, sendOpened } from './opened-session.ts'

const credentials = z.strictObject({
  login: z.string().min(1).max(255).describe('User name or address.'),
  password,
  remember: z
    .boolean()
    .optional()
    .describe('Answer with a second token that goes on where the first has ended: see `refreshSession`.'),
  deviceToken: z.string().max(128).optional().describe('Of a trusted device, which spares the second factor.'),
  cookie: z
    .boolean()
    .optional()
    .describe('Keep the token in a cookie that scripts cannot read, instead of answering with it.'),
})

const validSession = z.object({
  sessionId: z.int().min(1),
  userId: z.int().min(1),
  username: z.string(),
  roles: z.array(z.enum(ROLES)),
  methods: z.array(z.enum(METHODS)).describe('What was shown.'),
  authenticatedAt: z.iso.datetime().nullable().describe('When anything was last shown.'),
  factorAt: z.iso.datetime().nullable().describe('When a second factor was last shown.'),
  expiresAt: z.iso.datetime(),
})

export function signInRoutes(app: HttpApp, { node }: HttpShared): void {
  app.post(
    '/api/auth/login',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Sign in with a password',
        operationId: 'login',
        tags: ['accounts'],
        body: credentials,
        ...answers({ 200: opened.extend(deviceGiven) }, { account: true }),
      },
    },
    async (request, reply) => {
      const { cookie = false, deviceToken = deviceTokenOf(request), ...given } = request.body
      const device = deviceToken === undefined ? {} : { deviceToken }
      const replaced = cookie ? cookiesOf(request) : {}
      const session = await node.accounts.login({ ...given, ...device }, clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      await node.accounts.logout(replaced.token, replaced.rememberToken)
      const kept = session.pending ? session : keepDevice(reply, session, request.body.deviceToken === undefined)
      return sendOpened(reply, kept, cookie)
    },
  )

  app.post(
    '/api/auth/logout',
    {
      config: { forUsers: true },
      schema: {
        summary: 'End the session',
        description:
          'Also by the cookie of a session that is remembered, and by a token whose own time is up. One that opens nothing is no error.',
        operationId: 'logout',
        tags: ['accounts'],
        ...answers({ 204: null }),
      },
    },
    async (request, reply) => {
      const { token, rememberToken } = tokensOf(request)
      await node.accounts.logout(token, rememberToken)
      clearSessionCookie(reply)
      return reply.code(204).send()
    },
  )

  app.get(
    '/api/auth/verify',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Whose session this is',
        operationId: 'verifySession',
        tags: ['accounts'],
        ...answers({ 200: validSession }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const { ok: _, ...shown } = session
      return reply.send(shown)
    },
  )
}
