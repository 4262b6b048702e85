/** Accounts as administrators see and change them. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Changed } from '../../../accounts/administration.ts'
import type { AccountRefusal } from '../../../accounts/answers.ts'
import { MAX_INT4 } from '../../../core/ids.ts'
import { text } from '../../../machines/fields.ts'
import { MAX_OPEN_SESSIONS, ROLES } from '../../../machines/user/events.ts'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { rowPath, wholeText } from '../../input.ts'
import { permittedSession, sendRefusal } from '../../session.ts'

const DEFAULT_PAGE = 50
const MAX_PAGE = 200

const whole = wholeText.transform(Number).refine(value => value <= MAX_INT4, 'too large')
const pageQuery = z.strictObject({
  after: whole.optional().describe('`next` of the page before.'),
  limit: whole
    .refine(value => value >= 1 && value <= MAX_PAGE, `from 1 to ${MAX_PAGE}`)
    .optional()
    .describe(`Size of the page, 1 to ${MAX_PAGE}; default ${DEFAULT_PAGE}.`),
})
const reason = text(255).optional().describe('Goes into the event.')

const account = z.object({
  id: z.int().min(1),
  username: z.string(),
  email: z.string(),
  displayName: z.string().nullable(),
  state: z.enum(['active', 'deactivated']),
  verified: z.boolean(),
  roles: z.array(z.enum(ROLES)),
  sessionLimit: z.int().nullable().describe('Where it is not the one of the roles.'),
  openSessions: z.int().min(0),
  createdAt: z.string().nullable(),
  lastLoginAt: z.string().nullable(),
})
const accountPage = z.object({ users: z.array(account), next: z.int().optional() })
const erasure = z.object({
  userId: z.int().min(1),
  done: z.boolean().describe('False where it goes on by itself.'),
})

const changed = z.object({ ended: z.int().min(0).describe('Sessions that were open until then.') })

export function userRoutes(app: HttpApp, { node }: HttpShared): void {
  const { administration } = node.accounts
  const forUsers = { forUsers: true } as const
  const tags = ['accounts']

  app.get(
    '/api/users',
    {
      config: forUsers,
      schema: {
        summary: 'Accounts, by id',
        description: 'A page may hold fewer than it may, and there is another one as long as there is `next`.',
        operationId: 'listUsers',
        tags,
        querystring: pageQuery,
        ...answers({ 200: accountPage }, { account: true }),
      },
    },
    async (request, reply) => {
      if ((await permittedSession(node, request, reply)) === undefined) return reply
      const { after = 0, limit = DEFAULT_PAGE } = request.query
      return reply.send(await administration.list(after, limit))
    },
  )

  app.get(
    '/api/users/:id',
    {
      config: forUsers,
      schema: {
        summary: 'An account',
        operationId: 'getUser',
        tags,
        params: rowPath,
        ...answers({ 200: account }, { account: true }),
      },
    },
    async (request, reply) => {
      if ((await permittedSession(node, request, reply)) === undefined) return reply
      return reply.send(await administration.show(request.params.id))
    },
  )

  app.post(
    '/api/users/:id/roles',
    {
      config: forUsers,
      schema: {
        summary: 'Say which roles an account has',
        description: 'Ends its sessions. The only administrator stays one.',
        operationId: 'setRoles',
        tags,
        params: rowPath,
        body: z.strictObject({ roles: z.array(z.enum(ROLES)).max(ROLES.length) }),
        ...answers({ 200: changed }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await permittedSession(node, request, reply)
      if (session === undefined) return reply
      return sendChanged(reply, await administration.setRoles(request.params.id, request.body.roles, session.userId))
    },
  )

  app.post(
    '/api/users/:id/deactivate',
    {
      config: forUsers,
      schema: {
        summary: 'Put an account out of use',
        description: 'Ends its sessions on every node. The only administrator cannot be put out of use.',
        operationId: 'deactivateUser',
        tags,
        params: rowPath,
        body: z.strictObject({ reason }),
        ...answers({ 200: changed }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await permittedSession(node, request, reply)
      if (session === undefined) return reply
      return sendChanged(reply, await administration.deactivate(request.params.id, request.body.reason, session.userId))
    },
  )

  app.post(
    '/api/users/:id/reactivate',
    {
      config: forUsers,
      schema: {
        summary: 'Put an account into use again',
        operationId: 'reactivateUser',
        tags,
        params: rowPath,
        ...answers({ 200: changed }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await permittedSession(node, request, reply)
      if (session === undefined) return reply
      return sendChanged(reply, await administration.reactivate(request.params.id, session.userId))
    },
  )

  app.post(
    '/api/users/:id/session-limit',
    {
      config: forUsers,
      schema: {
        summary: 'Say how many sessions an account may have open',
        description: 'Holds from the next login on.',
        operationId: 'limitSessions',
        tags,
        params: rowPath,
        body: z.strictObject({
          limit: z.int().min(1).max(MAX_OPEN_SESSIONS).nullable().describe('null: the limit of its roles.'),
        }),
        ...answers({ 200: changed }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await permittedSession(node, request, reply)
      if (session === undefined) return reply
      return sendChanged(
        reply,
        await administration.limitSessions(request.params.id, request.body.limit, session.userId),
      )
    },
  )

  app.post(
    '/api/users/:id/erase',
    {
      config: forUsers,
      schema: {
        summary: 'Erase who a user was',
        description:
          'What was done under the id stays in the log; nothing brings the rest back. The only administrator cannot be erased.',
        operationId: 'eraseUser',
        tags,
        params: rowPath,
        ...answers({ 200: erasure }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await permittedSession(node, request, reply)
      if (session === undefined) return reply
      const erased = await administration.erase(request.params.id, { by: session.userId })
      if (!erased.ok) return sendRefusal(reply, erased)
      return reply.send({ userId: erased.userId, done: erased.done })
    },
  )
}

function sendChanged(reply: FastifyReply, result: Changed | AccountRefusal): FastifyReply {
  return result.ok ? reply.send({ ended: result.ended }) : sendRefusal(reply, result)
}
