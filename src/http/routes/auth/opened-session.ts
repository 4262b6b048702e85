/** What routes that open a session take and answer with. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { FACTOR_METHODS } from '../../../machines/factor/events.ts'
import { setSessionCookies } from '../../session.ts'

export const password = z.string().min(1).max(1_024)

export const opened = z.object({
  sessionId: z.int().min(1),
  userId: z.int().min(1),
  token: z
    .string()
    .optional()
    .describe('To be sent as `Authorization: Bearer …`; absent where a cookie was asked for.'),
  expiresAt: z.iso.datetime().describe('Of the token.'),
  rememberToken: z
    .string()
    .optional()
    .describe('Of a session that is remembered; absent where a cookie was asked for.'),
  rememberedUntil: z.iso.datetime().optional(),
  pending: z.literal(true).optional().describe('A factor is to be shown: the token opens nothing else until then.'),
  factors: z.array(z.enum(FACTOR_METHODS)).optional().describe('Of a pending session: what the user can show.'),
})

export const backupCodes = z.array(z.string()).describe('Shown this once.')

/** After a factor was added: backup codes come with the first. */
export const openedWithCodes = opened.extend({ backupCodes: backupCodes.optional() })

interface Opened {
  readonly ok: true
  readonly pending?: true | undefined
  readonly token: string
  readonly expiresAt: string
  readonly rememberToken?: string | undefined
  readonly rememberedUntil?: string | undefined
}

/** What was opened, with its tokens in the answer or in cookies. */
export function sendOpened<Session extends Opened>(reply: FastifyReply, session: Session, cookie: boolean) {
  const { ok: _, token, ...rest } = session
  if (!cookie) return reply.send({ ...rest, token })
  setSessionCookies(reply, session)
  const { rememberToken: __, ...shown } = rest
  return reply.send(shown)
}
