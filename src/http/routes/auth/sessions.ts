/** The sessions of a user: new tokens for old ones, who is signed in where, and ending that. */
import { z } from 'zod'
import { MAX_INT4 } from '../../../core/ids.ts'
import { METHODS, type Method } from '../../../machines/session/events.ts'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { rowPath } from '../../input.ts'
import {
  bearerOf,
  clientOf,
  permittedSession,
  sendRefusal,
  sessionOf,
  shownToken,
  tokensOf,
  usesCookie,
} from '../../session.ts'
import { opened, password, sendOpened } from './opened-session.ts'

const refreshing = z.strictObject({
  rememberToken: z.string().max(512).optional().describe('Where the session token has ended, and there is no cookie.'),
})

const shownSession = z.object({
  id: z.int().min(1),
  current: z.boolean().describe('The one that asks.'),
  createdAt: z.iso.datetime().nullable(),
  lastSeenAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  deviceId: z.string().nullable(),
  userAgent: z.string().nullable(),
  ipAddress: z.string().nullable(),
  place: z.string().nullable().describe('Where the address is, as far as that is known.'),
  methods: z.array(z.enum(METHODS)).describe('What was shown.'),
  remembered: z.boolean(),
  challenged: z.boolean().describe('It showed up elsewhere than it was opened, and waits for a factor.'),
})
const sessionList = z.object({ sessions: z.array(shownSession) })
const ended = z.object({ ended: z.int().min(0).describe('How many were open.') })

export function sessionRoutes(app: HttpApp, { node }: HttpShared): void {
  app.post(
    '/api/auth/refresh',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Exchange a token for a new one',
        description:
          'The session token while it opens anything, else the remember-me token, of the body or of the cookie. The old token is taken for ten seconds more and gets the same new one; shown later, it ends the session, for somebody has copied it.',
        operationId: 'refreshSession',
        tags: ['accounts'],
        body: refreshing,
        ...answers({ 200: opened }, { account: true }),
      },
    },
    async (request, reply) => {
      const given = request.body.rememberToken
      // What came in a cookie is answered in one, whatever the body says: a script of the page could ask, and read the answer.
      const cookie = usesCookie(request) || (given === undefined && bearerOf(request) === undefined)
      const shown = tokensOf(request)
      const tokens = { ...shown, rememberToken: given ?? shown.rememberToken }
      const session = await node.accounts.refresh(tokens, clientOf(request))
      return session.ok ? sendOpened(reply, session, cookie) : sendRefusal(reply, session)
    },
  )

  app.post(
    '/api/auth/confirm',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Show the password again',
        description:
          'For what asks for a fresh proof, of users without a second factor. The session goes on under a new token.',
        operationId: 'confirmPassword',
        tags: ['accounts'],
        body: z.strictObject({ password }),
        ...answers({ 200: opened }, { account: true }),
      },
    },
    async (request, reply) => {
      const cookie = bearerOf(request) === undefined
      const token = shownToken(request)
      const session = await node.accounts.reauthenticate(token, request.body.password, clientOf(request))
      return session.ok ? sendOpened(reply, session, cookie) : sendRefusal(reply, session)
    },
  )

  app.get(
    '/api/sessions',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Where one is signed in',
        operationId: 'listSessions',
        tags: ['accounts'],
        ...answers({ 200: sessionList }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const sessions = await node.accounts.sessions(session.userId, session.sessionId)
      return reply.send({ sessions: copies(sessions) })
    },
  )

  app.post(
    '/api/sessions/revoke',
    {
      config: { forUsers: true },
      schema: {
        summary: 'End all other sessions, or all',
        operationId: 'revokeSessions',
        tags: ['accounts'],
        body: z.strictObject({ which: z.enum(['others', 'all']) }),
        ...answers({ 200: ended }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const keep = request.body.which === 'others' ? session.sessionId : undefined
      const { userId } = session
      return reply.send({ ended: await node.accounts.endSessions(userId, 'ended by the user', keep, userId) })
    },
  )

  app.post(
    '/api/sessions/:id/revoke',
    {
      config: { forUsers: true },
      schema: {
        summary: 'End one of one’s sessions',
        operationId: 'revokeSession',
        tags: ['accounts'],
        params: rowPath,
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const refusal = await node.accounts.revokeOwn(
        session.userId,
        request.params.id,
        'ended by the user',
        session.userId,
      )
      return refusal === undefined ? reply.code(204).send() : sendRefusal(reply, refusal)
    },
  )

  app.get(
    '/api/users/:id/sessions',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Where a user is signed in',
        description: 'For admins, with a factor shown lately.',
        operationId: 'listUserSessions',
        tags: ['accounts'],
        params: rowPath,
        ...answers({ 200: sessionList }, { account: true }),
      },
    },
    async (request, reply) => {
      const admin = await permittedSession(node, request, reply)
      if (admin === undefined) return reply
      const sessions = await node.accounts.administration.sessions(request.params.id, admin.sessionId)
      return reply.send({ sessions: copies(sessions) })
    },
  )

  app.post(
    '/api/users/:id/sessions/revoke',
    {
      config: { forUsers: true },
      schema: {
        summary: 'End sessions of a user',
        description: 'For admins, with a factor shown lately.',
        operationId: 'revokeUserSessions',
        tags: ['accounts'],
        params: rowPath,
        body: z.strictObject({
          sessionId: z.int().min(1).max(MAX_INT4).optional().describe('All of them where this is absent.'),
        }),
        ...answers({ 200: ended }, { account: true }),
      },
    },
    async (request, reply) => {
      const admin = await permittedSession(node, request, reply)
      if (admin === undefined) return reply
      const { sessionId } = request.body
      const { id: userId } = request.params
      const by = admin.userId
      if (sessionId === undefined) {
        const all = await node.accounts.administration.endSessions(userId, 'ended by an admin', by)
        return all.ok ? reply.send({ ended: all.ended }) : sendRefusal(reply, all)
      }
      const refusal = await node.accounts.revokeOwn(userId, sessionId, 'ended by an admin', by)
      return refusal === undefined ? reply.send({ ended: 1 }) : sendRefusal(reply, refusal)
    },
  )
}

function copies<Session extends { readonly methods: readonly Method[] }>(sessions: readonly Session[]) {
  return sessions.map(session => ({ ...session, methods: [...session.methods] }))
}
