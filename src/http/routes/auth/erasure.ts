/** Erasing a user. */
import { z } from 'zod'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { sendRefusal, sessionOf } from '../../session.ts'

const user = z.strictObject({ id: z.coerce.number().int().min(1).max(2_147_483_647).describe('Id of the user.') })

const erasure = z.object({
  userId: z.int().min(1),
  done: z.boolean().describe('False where it goes on by itself.'),
})

export function erasureRoutes(app: HttpApp, { node }: HttpShared): void {
  app.post(
    '/api/users/:id/erase',
    {
      config: { forUsers: true },
      schema: {
        summary: 'Erase who a user was',
        description:
          'For admins who have just shown a second factor. What was done under the id stays in the log; nothing brings the rest back.',
        operationId: 'eraseUser',
        tags: ['accounts'],
        params: user,
        ...answers({ 200: erasure }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const erased = await node.accounts.eraseAs(session, request.params.id)
      if (!erased.ok) return sendRefusal(reply, erased)
      return reply.send({ userId: erased.userId, done: erased.done })
    },
  )
}
