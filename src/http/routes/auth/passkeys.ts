/** Passkeys: registered, shown alone or beside a password, renamed, removed. */
import { z } from 'zod'
import type { Assertion, Attestation } from '../../../accounts/passkeys.ts'
import { answers } from '../../api-document.ts'
import type { HttpApp, HttpShared } from '../../http-app.ts'
import { clientOf, cookiesOf, sendRefusal, sessionOf, tokenOf, usesCookie } from '../../session.ts'
import { deviceGiven, trustAsked, trustWanted } from './devices.ts'
import { opened, openedWithCodes, password, sendOpened } from './sign-in.ts'

const base64url = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, 'not base64url')

const passkeyId = base64url(1_364)
const label = z
  .string()
  .min(1)
  .max(100)
  .regex(/^\P{Cc}+$/u, 'has control characters')
  .describe('For the user to know it by.')

// What `PublicKeyCredential.toJSON()` gives has more, which is let through unread.
const attestation = z
  .object({
    id: passkeyId,
    response: z.object({
      clientDataJSON: base64url(8_192),
      attestationObject: base64url(16_384),
      transports: z.array(z.string().min(1).max(20)).max(10).optional(),
    }),
  })
  .describe('`PublicKeyCredential.toJSON()` of `navigator.credentials.create`.')
const assertion = z
  .object({
    id: passkeyId,
    response: z.object({
      clientDataJSON: base64url(8_192),
      authenticatorData: base64url(8_192),
      signature: base64url(2_048),
      userHandle: base64url(128).nullish(),
    }),
  })
  .describe('`PublicKeyCredential.toJSON()` of `navigator.credentials.get`.')

const descriptors = z.array(
  z.object({ id: z.string(), type: z.literal('public-key'), transports: z.array(z.string()).optional() }),
)
const creationOptions = z.looseObject({
  challenge: z.string(),
  rp: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
  excludeCredentials: descriptors,
})
const requestOptions = z.looseObject({
  challenge: z.string(),
  rpId: z.string(),
  allowCredentials: descriptors.optional(),
})

const shownPasskey = z.object({
  id: z.string(),
  label: z.string(),
  transports: z.array(z.string()),
  backedUp: z.boolean().describe('Kept in more places than one device.'),
  doubted: z.boolean().describe('Its counter did not grow once: there may be a copy of it.'),
  addedAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
})

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
      const begun = await passkeys.registrationOptions(tokenOf(request) ?? '', request.body, clientOf(request))
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
        body: z.strictObject({ response: attestation, label: label.optional() }),
        ...answers({ 200: openedWithCodes.extend({ passkeyId: z.string() }) }, { account: true }),
      },
    },
    async (request, reply) => {
      const { response, label: given = 'passkey' } = request.body
      const answer = { attestation: attestationOf(response), label: given }
      const session = await passkeys.register(tokenOf(request) ?? '', answer, clientOf(request))
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
      const begun = await passkeys.factorOptions(tokenOf(request) ?? '', clientOf(request))
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
      const session = await passkeys.verify(tokenOf(request) ?? '', assertionOf(response), clientOf(request))
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
        body: z.strictObject({ id: passkeyId, label }),
        ...answers({ 204: null }, { account: true }),
      },
    },
    async (request, reply) => {
      const { id, label: given } = request.body
      const renamed = await passkeys.rename(tokenOf(request) ?? '', id, given, clientOf(request))
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
      const removed = await passkeys.remove(tokenOf(request) ?? '', request.body.id, clientOf(request))
      return removed.ok ? reply.code(204).send() : sendRefusal(reply, removed)
    },
  )
}

function attestationOf({ id, response }: z.output<typeof attestation>): Attestation {
  return { id, ...response }
}

function assertionOf({ id, response: { userHandle, ...response } }: z.output<typeof assertion>): Assertion {
  // Authenticators of a factor alone keep no user, which browsers tell by null.
  return { id, ...response, ...(userHandle === null ? {} : { userHandle }) }
}

/** As it goes over the wire: without what is undefined. */
function jsonOf<Options>(options: Options): Options {
  return JSON.parse(JSON.stringify(options))
}
