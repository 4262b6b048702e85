/** Second factors: shown to complete a login or to step up, enrolled, replaced, removed, reset. */
import { z } from 'zod'
import { QR_FORMS } from '../../../accounts/totp.ts'
import { CODE_METHODS } from '../../../accounts/verify-factor.ts'
import { FACTOR_METHODS } from '../../../machines/factor/events.ts'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { rowPath } from '../../input.ts'
import { clientOf, sendRefusal, sessionOf, shownToken, usesCookie } from '../../session.ts'
import { deviceGiven, trustAsked, trustWanted } from './device-trust.ts'
import { backupCodes, opened, openedWithCodes, password, sendOpened } from './opened-session.ts'

const code = z.string().min(1).max(64).describe('As it was read or typed: spaces do not count.')

const shownFactor = z.object({
  method: z.enum(FACTOR_METHODS),
  enabled: z.boolean().describe('Asked for at a login.'),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
  codesLeft: z.int().min(0).optional().describe('Of backup codes.'),
})

export function factorRoutes(app: HttpApp, { node }: HttpShared): void {
  const { accounts } = node
  const config = { forUsers: true }
  const tags = ['accounts']

  app.get(
    '/api/auth/mfa',
    {
      config,
      schema: {
        summary: 'The factors of the user',
        operationId: 'listFactors',
        tags,
        ...answers({ 200: z.object({ factors: z.array(shownFactor) }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      return reply.send({ factors: [...(await accounts.factors(session.userId))] })
    },
  )

  app.post(
    '/api/auth/mfa/verify',
    {
      config,
      schema: {
        summary: 'Show a factor by its code',
        description:
          'Completes the login of a pending session, or makes an open one fresh. The token is replaced either way. A code is taken once.',
        operationId: 'verifyFactor',
        tags,
        body: z.strictObject({ method: z.enum(CODE_METHODS), code, ...trustWanted }),
        ...answers(
          {
            200: opened.extend({
              ...deviceGiven,
              backupCodesLeft: z.int().min(0).optional().describe('After a backup code.'),
            }),
          },
          { account: true },
        ),
      },
    },
    async (request, reply) => {
      const { trustDevice, ...shown } = request.body
      const session = await accounts.verifyFactor(shownToken(request), shown, clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      return sendOpened(reply, await trustAsked(node, request, reply, session, trustDevice), usesCookie(request))
    },
  )

  app.post(
    '/api/auth/mfa/totp/enrol',
    {
      config,
      schema: {
        summary: 'Begin with an authenticator app',
        description:
          'Needs a factor shown a moment ago, or the password where the user has none. Nothing is asked for at a login until it is confirmed.',
        operationId: 'enrolTotp',
        tags,
        body: z.strictObject({
          password: password.optional(),
          qr: z.enum(QR_FORMS).optional().describe('SVG markup (default), a `data:` URL of a PNG, or text.'),
        }),
        ...answers(
          { 200: z.object({ secret: z.string(), uri: z.string(), qr: z.string().describe('The URI as a QR code.') }) },
          { account: true },
        ),
      },
    },
    async (request, reply) => {
      const enrolment = await accounts.enrolTotp(shownToken(request), request.body, clientOf(request))
      if (!enrolment.ok) return sendRefusal(reply, enrolment)
      const { secret, uri, qr } = enrolment
      return reply.send({ secret, uri, qr })
    },
  )

  app.post(
    '/api/auth/mfa/totp/confirm',
    {
      config,
      schema: {
        summary: 'Confirm an authenticator app by its first code',
        description:
          'Within ten minutes of its beginning. Ends the other sessions of the user and replaces the token of this one.',
        operationId: 'confirmTotp',
        tags,
        body: z.strictObject({ code }),
        ...answers({ 200: openedWithCodes }, { account: true }),
      },
    },
    async (request, reply) => {
      const { code: first } = request.body
      const session = await accounts.confirmTotp(shownToken(request), first, clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      return sendOpened(reply, session, usesCookie(request))
    },
  )

  app.post(
    '/api/auth/mfa/backup-codes',
    {
      config,
      schema: {
        summary: 'Replace the backup codes',
        description: 'Needs a factor shown a moment ago. All older codes are void.',
        operationId: 'replaceBackupCodes',
        tags,
        ...answers({ 200: z.object({ backupCodes }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const replaced = await accounts.replaceBackupCodes(shownToken(request), clientOf(request))
      if (!replaced.ok) return sendRefusal(reply, replaced)
      return reply.send({ backupCodes: [...replaced.backupCodes] })
    },
  )

  app.post(
    '/api/auth/mfa/:method/remove',
    {
      config,
      schema: {
        summary: 'Remove a factor',
        description:
          'Needs a factor shown a moment ago. Ends the other sessions of the user; backup codes go with the last factor.',
        operationId: 'removeFactor',
        tags,
        params: z.object({ method: z.enum(FACTOR_METHODS) }),
        ...answers({ 200: z.object({ removed: z.boolean().describe('Whether there was one.') }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const { method } = request.params
      const answer = await accounts.removeFactor(shownToken(request), method, clientOf(request))
      return answer.ok ? reply.send({ removed: answer.removed }) : sendRefusal(reply, answer)
    },
  )

  app.post(
    '/api/users/:id/reset-mfa',
    {
      config,
      schema: {
        summary: 'Take all factors of a user away',
        description: 'For administrators who showed a factor a moment ago. Ends all sessions of the user.',
        operationId: 'resetFactors',
        tags,
        params: rowPath,
        ...answers({ 200: z.object({ removed: z.int().min(0).describe('How many there were.') }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const answer = await accounts.resetFactorsOf(shownToken(request), request.params.id, clientOf(request))
      return answer.ok ? reply.send({ removed: answer.removed }) : sendRefusal(reply, answer)
    },
  )
}
