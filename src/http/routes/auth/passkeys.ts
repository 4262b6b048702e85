/** Passkeys: registered, shown alone or beside a password, renamed, removed. */
import { z } from 'zod'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { clientOf, cookiesOf, sendRefusal, sessionOf, shownToken, usesCookie } from '../../session.ts'
import { deviceGiven, trustAsked, trustWanted } from './device-trust.ts'
import { opened, openedWithCodes, password, sendOpened } from './opened-session.ts'
import {
  assertion,
  assertionOf,
  attestation,
  attestationOf,
  creationOptions,
  passkeyId,
  passkeyLabel,
  requestOptions,
  shownPasskey,
} from './passkey-schemas.ts'

export function passkeyRoutes(app: HttpApp, { node }: HttpShared): void {
  const { passkeys } = node.accounts
  const config = { forUsers: true }
  const tags = ['accounts']

  app.get(
    '/api/auth/passkeys',
    {
      config,
      schema: {
        summary: 'The passkeys of the user',
        operationId: 'listPasskeys',
        tags,
        ...answers({ 200: z.object({ passkeys: z.array(shownPasskey) }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const session = await sessionOf(node, request, reply)
      if (session === undefined) return reply
      const found = await passkeys.list(session.userId)
      return reply.send({ passkeys: found.map(passkey => ({ ...passkey, transports: [...passkey.transports] })) })
    },
  )

  app.post(
    '/api/auth/passkeys/register/options',
    {
      config,
      schema: {
        summary: 'Begin with a passkey',
        description:
          'Needs a factor shown a moment ago, or the password where the user has none. The challenge is good for five minutes, once, in this session.',
        operationId: 'passkeyRegistrationOptions',
        tags,
        body: z.strictObject({ password: password.optional() }),
        ...answers({ 200: z.object({ options: creationOptions }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const begun = await passkeys.registrationOptions(shownToken(request), request.body, clientOf(request))
      return begun.ok ? reply.send({ options: jsonOf(begun.options) }) : sendRefusal(reply, begun)
    },
  )

  app.post(
    '/api/auth/passkeys/register',
    {
      config,
      schema: {
        summary: 'Register a passkey',
        description: 'Ends the other sessions of the user and replaces the token of this one.',
        operationId: 'registerPasskey',
        tags,
        body: z.strictObject({ response: attestation, label: passkeyLabel.optional() }),
        ...answers({ 200: openedWithCodes.extend({ passkeyId: z.string() }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const { response, label: given = 'passkey' } = request.body
      const answer = { attestation: attestationOf(response), label: given }
      const session = await passkeys.register(shownToken(request), answer, clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      return sendOpened(reply, session, usesCookie(request))
    },
  )

  app.post(
    '/api/auth/passkeys/login/options',
    {
      config,
      schema: {
        summary: 'Begin to sign in with a passkey alone',
        operationId: 'passkeyLoginOptions',
        tags,
        ...answers({ 200: z.object({ options: requestOptions }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const begun = await passkeys.loginOptions(clientOf(request))
      return begun.ok ? reply.send({ options: jsonOf(begun.options) }) : sendRefusal(reply, begun)
    },
  )

  app.post(
    '/api/auth/passkeys/login',
    {
      config,
      schema: {
        summary: 'Sign in with a passkey alone',
        description: 'It names its user and has verified them, so it counts as two factors.',
        operationId: 'passkeyLogin',
        tags,
        body: z.strictObject({ response: assertion, cookie: z.boolean().optional() }),
        ...answers({ 200: opened }, { account: true }),
      },
    },
    async (request, reply) => {
      const { response, cookie = false } = request.body
      const replaced = cookie ? cookiesOf(request) : {}
      const session = await passkeys.login(assertionOf(response), clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      await node.accounts.logout(replaced.token, replaced.rememberToken)
      return sendOpened(reply, session, cookie)
    },
  )

  app.post(
    '/api/auth/passkeys/verify/options',
    {
      config,
      schema: {
        summary: 'Begin to show a passkey as a factor',
        operationId: 'passkeyFactorOptions',
        tags,
        ...answers({ 200: z.object({ options: requestOptions }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const begun = await passkeys.factorOptions(shownToken(request), clientOf(request))
      return begun.ok ? reply.send({ options: jsonOf(begun.options) }) : sendRefusal(reply, begun)
    },
  )

  app.post(
    '/api/auth/passkeys/verify',
    {
      config,
      schema: {
        summary: 'Show a passkey as a factor',
        description:
          'Completes the login of a pending session, or makes an open one fresh. The token is replaced either way.',
        operationId: 'verifyPasskey',
        tags,
        body: z.strictObject({ response: assertion, ...trustWanted }),
        ...answers({ 200: opened.extend(deviceGiven) }, { account: true }),
      },
    },
    async (request, reply) => {
      const { response, trustDevice } = request.body
      const session = await passkeys.verify(shownToken(request), assertionOf(response), clientOf(request))
      if (!session.ok) return sendRefusal(reply, session)
      return sendOpened(reply, await trustAsked(node, request, reply, session, trustDevice), usesCookie(request))
    },
  )

  app.post(
    '/api/auth/passkeys/rename',
    {
      config,
      schema: {
        summary: 'Rename a passkey',
        operationId: 'renamePasskey',
        tags,
        body: z.strictObject({ id: passkeyId, label: passkeyLabel }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const { id, label: given } = request.body
      const renamed = await passkeys.rename(shownToken(request), id, given, clientOf(request))
      return renamed.ok ? reply.code(204).send() : sendRefusal(reply, renamed)
    },
  )

  app.post(
    '/api/auth/passkeys/remove',
    {
      config,
      schema: {
        summary: 'Remove a passkey',
        description: 'Needs a factor shown a moment ago. Ends the other sessions of the user.',
        operationId: 'removePasskey',
        tags,
        body: z.strictObject({ id: passkeyId }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const removed = await passkeys.remove(shownToken(request), request.body.id, clientOf(request))
      return removed.ok ? reply.code(204).send() : sendRefusal(reply, removed)
    },
  )
}

/** As it goes over the wire: without what is undefined. */
function jsonOf<Options>(options: Options): Options {
  return JSON.parse(JSON.stringify(options))
}
