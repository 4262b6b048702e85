/** Second factors that are codes sent to an address. */
import { z } from 'zod'
import { ADDRESS_METHODS } from '../../../accounts/sent-codes.ts'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { clientOf, sendRefusal, shownToken, usesCookie } from '../../session.ts'
import { openedWithCodes, password, sendOpened } from './opened-session.ts'

const method = z.enum(ADDRESS_METHODS)
const sent = z.object({
  to: z.string().describe('The address, masked.'),
  expiresAt: z.iso.datetime(),
})

export function codeRoutes(app: HttpApp, { node }: HttpShared): void {
  const { accounts } = node
  const config = { forUsers: true }
  const tags = ['accounts']

  app.post(
    '/api/auth/mfa/send',
    {
      config,
      schema: {
        summary: 'Send a code to an enrolled address',
        description:
          'Also for a session that waits for its factor. The code is shown by POST /api/auth/mfa/verify; an older one is void.',
        operationId: 'sendCode',
        tags,
        body: z.strictObject({ method }),
        ...answers({ 200: sent }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.sendCode(shownToken(request), request.body.method, clientOf(request))
      return answer.ok ? reply.send({ to: answer.to, expiresAt: answer.expiresAt }) : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/auth/mfa/:method/enrol',
    {
      config,
      schema: {
        summary: 'Begin with an address as a factor',
        description:
          'Sends a first code there. Needs a factor shown a moment ago, or the password where the user has none; text messages need a stronger factor beside them.',
        operationId: 'enrolAddress',
        tags,
        params: z.object({ method }),
        body: z.strictObject({
          address: z
            .string()
            .min(3)
            .max(254)
            .optional()
            .describe("By default the account's; of text messages `+` and digits."),
          password: password.optional(),
        }),
        ...answers({ 200: sent }, { account: true }),
      },
    },
    async (request, reply) => {
      const enrolment = { ...request.body, method: request.params.method }
      const answer = await accounts.enrolAddress(shownToken(request), enrolment, clientOf(request))
      return answer.ok ? reply.send({ to: answer.to, expiresAt: answer.expiresAt }) : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/auth/mfa/:method/confirm',
    {
      config,
      schema: {
        summary: 'Confirm an address by its first code',
        description: 'Ends the other sessions of the user and replaces the token of this one.',
        operationId: 'confirmAddress',
        tags,
        params: z.object({ method }),
        body: z.strictObject({ code: z.string().min(1).max(64) }),
        ...answers({ 200: openedWithCodes }, { account: true }),
      },
    },
    async (request, reply) => {
      const shown = { method: request.params.method, code: request.body.code }
      const session = await accounts.confirmAddress(shownToken(request), shown, clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      return sendOpened(reply, session, usesCookie(request))
    },
  )
}
