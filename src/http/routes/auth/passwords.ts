/** Opening accounts, and choosing or setting passwords. */
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { refused } from '../../../accounts/answers.ts'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { rowPath } from '../../input.ts'
import { clientOf, sendRefusal, sessionOf, tokenOf, usesCookie } from '../../session.ts'
import { password, sendOpened } from './opened-session.ts'

const registration = z.strictObject({
  username: z.string().min(1).max(255).describe('Kept in compatibility form (NFKC); letter case does not count.'),
  email: z.email().max(255),
  password,
  displayName: z.string().min(1).max(255).optional(),
})

const registered = z.object({ userId: z.int().min(1), username: z.string().describe('As it is kept.') })

const change = z.strictObject({
  current: password,
  next: password.describe('Long, of whatever characters; the answer says which rule refuses it.'),
})

const rotated = z.object({
  sessionId: z.int().min(1),
  userId: z.int().min(1),
  token: z.string().optional().describe('Takes the place of the one that was sent; absent where that was a cookie.'),
  expiresAt: z.iso.datetime(),
  rememberToken: z.string().optional().describe('Of a session that is remembered, in place of the older one.'),
  rememberedUntil: z.iso.datetime().optional(),
})

/** @param isOperator whether a request shows that it comes from who runs the node */
export function passwordRoutes(
  app: HttpApp,
  { node }: HttpShared,
  isOperator: (request: FastifyRequest) => boolean,
): void {
  app.post(
    '/api/auth/register',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Open an account',
        description:
          'With the token of the node or the session of an administrator; of anybody only where the node allows it. The account is a viewer.',
        operationId: 'register',
        tags: ['accounts'],
        body: registration,
        ...answers({ 201: registered }, { account: true }),
      },
    },
    async (request, reply) => {
      const { displayName, ...given } = request.body
      const asked = { ...given, ...(displayName === undefined ? {} : { displayName }) }
      const open = node.accounts.settings.registration === 'open'
      if (isOperator(request)) return told(await node.accounts.register(asked))
      if (open && tokenOf(request) === undefined)
        return told(await node.accounts.register(asked, { client: clientOf(request) }))
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      if (!session.roles.includes('admin')) return sendRefusal(reply, refused('forbidden'))
      return told(await node.accounts.register(asked, { userId: session.userId }))

      function told(answer: Awaited<ReturnType<typeof node.accounts.register>>) {
        if (!answer.ok) return sendRefusal(reply, answer)
        return reply.code(201).send({ userId: answer.userId, username: answer.username })
      }
    },
  )

  app.post(
    '/api/auth/password',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Choose another password',
        description:
          'Ends all other sessions of the user. Who has a second factor must have shown it lately. This session goes on under a new token.',
        operationId: 'changePassword',
        tags: ['accounts'],
        body: change,
        ...answers({ 200: rotated }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const changed = await node.accounts.changePassword(session, request.body)
      if (!changed.ok) return sendRefusal(reply, changed)
      return sendOpened(reply, changed, usesCookie(request))
    },
  )

  app.post(
    '/api/users/:id/password',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Set the password of a user',
        description:
          'With the token of the node or, for administrators, a factor shown lately. Ends all sessions of the user.',
        operationId: 'setPassword',
        tags: ['accounts'],
        params: rowPath,
        body: z.strictObject({ next: password }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const byOperator = isOperator(request)
      const session = byOperator ? undefined : await sessionOf(node, request, reply)
      if (!byOperator && session === undefined) return reply
      const set = await node.accounts.setPassword(id, request.body.next, session)
      if (!set.ok) return sendRefusal(reply, set)
      return reply.code(204).send()
    },
  )
}
