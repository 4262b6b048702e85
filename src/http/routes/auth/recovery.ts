/** What is proved by a mail: that an address is the user's, and who may set a new password. */
import { z } from 'zod'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { clientOf, sendRefusal, shownToken } from '../../session.ts'
import { password } from './opened-session.ts'

const login = z.string().min(1).max(255).describe('User name or address.')
const token = z.string().min(1).max(128).describe('From the mail.')
const SAME = 'The answer is the same whether there is such an account.'

export function recoveryRoutes(app: HttpApp, { node }: HttpShared): void {
  const { accounts } = node
  const config = { forUsers: true }
  const tags = ['accounts']

  app.post(
    '/api/auth/email',
    {
      config,
      schema: {
        summary: 'Change the address of the account',
        description:
          'Needs a factor shown a moment ago, or the password where the user has none. The new address is to be verified; the old one is told.',
        operationId: 'changeEmail',
        tags,
        body: z.strictObject({ email: z.string().min(3).max(255), password: password.optional() }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.changeEmail(shownToken(request), request.body, clientOf(request))
      return answer.ok ? reply.code(204).send() : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/auth/email/verify',
    {
      config,
      schema: {
        summary: 'Verify an address by the token of a mail',
        operationId: 'verifyEmail',
        tags,
        body: z.strictObject({ token }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.verifyEmail(request.body.token)
      return answer.ok ? reply.code(204).send() : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/auth/email/send',
    {
      config,
      schema: {
        summary: 'Ask for another mail to verify the address',
        description: SAME,
        operationId: 'sendVerification',
        tags,
        body: z.strictObject({ login }),
        ...answers({ 202: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.askVerification(request.body.login, clientOf(request))
      return answer.ok ? reply.code(202).send() : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/auth/recover',
    {
      config,
      schema: {
        summary: 'Ask for a mail to recover an account',
        description: SAME,
        operationId: 'recover',
        tags,
        body: z.strictObject({ login }),
        ...answers({ 202: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.askRecovery(request.body.login, clientOf(request))
      return answer.ok ? reply.code(202).send() : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/auth/recover/complete',
    {
      config,
      schema: {
        summary: 'Set a new password by the token of a mail',
        description: 'Ends all sessions and opens none; factors are asked for at the next login as before.',
        operationId: 'completeRecovery',
        tags,
        body: z.strictObject({ token, password }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.completeRecovery(request.body)
      return answer.ok ? reply.code(204).send() : sendRefusal(reply, answer)
    },
  )
}
