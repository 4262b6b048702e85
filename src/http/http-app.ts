/** One listening side of the API: who may ask, what is read, how errors are answered, and all routes. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { BlockList } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { type Json, MAX_DEPTH, poison } from '../core/json.ts'
import type { Logger } from '../core/ports.ts'
import { registerApiDocument } from './api-document.ts'
import { bearerTokenOf } from './bearer.ts'
import { commandSchemas } from './command-schemas.ts'
import type { Connections } from './connections.ts'
import { discardBody } from './discard-body.ts'
import { parse } from './input.ts'
import { parseJsonBody } from './json-body.ts'
import type { Gate, HttpLimits } from './limits.ts'
import type { HttpMetrics } from './metrics.ts'
import { answerBrokenRequest, asAppError, INTERNAL, type Problem, problemOf, sendProblem } from './problem.ts'
import { actorRoutes } from './routes/actors.ts'
import { auditRoutes } from './routes/audit.ts'
import { codeRoutes } from './routes/auth/codes.ts'
import { deviceRoutes } from './routes/auth/devices.ts'
import { factorRoutes } from './routes/auth/factors.ts'
import { passkeyRoutes } from './routes/auth/passkeys.ts'
import { passwordRoutes } from './routes/auth/passwords.ts'
import { recoveryRoutes } from './routes/auth/recovery.ts'
import { sessionRoutes } from './routes/auth/sessions.ts'
import { signInRoutes } from './routes/auth/sign-in.ts'
import { userRoutes } from './routes/auth/users.ts'
import { batchRoutes } from './routes/batch.ts'
import { documentRoutes } from './routes/document.ts'
import { liveRoutes } from './routes/live.ts'
import { snapshotRoutes } from './routes/snapshots.ts'
import { statusRoutes } from './routes/status.ts'
import { streamRoutes } from './routes/streams.ts'
import { guardUserRoutes } from './session.ts'
import type { EventStreams } from './streams/event-streams.ts'
import type { LiveStreams } from './streams/live-streams.ts'

/** What is needed to tell clients apart. */
interface Clients {
  readonly trustedProxies: BlockList
  fingerprint(device: string): string
}

export type HttpApp = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>

declare module 'fastify' {
  interface FastifyInstance {
    readonly clients: Clients
  }
  interface FastifyContextConfig {
    /** Answers without a token, and also while the node is full or stopping. */
    open?: boolean
    /** For users, who show the token of a session instead of the node's. */
    forUsers?: boolean
    /** What the request counts as; `apart`: it is taken however many there are. */
    countsAs?: 'batch' | 'apart'
    /** Its answer lasts as long as its client wants. */
    endless?: boolean
    /** Levels the body may nest. */
    maxDepth?: number
  }
}

/** What the sides of a server share. */
export interface HttpShared {
  readonly node: RuntimeNode
  readonly token: string
  readonly log: Logger
  readonly limits: HttpLimits
  readonly connections: Connections
  readonly gate: Gate
  readonly streams: EventStreams
  readonly liveStreams: LiveStreams
  readonly metrics: HttpMetrics
  readonly trustedProxies: BlockList
}

export async function createHttpApp(shared: HttpShared, needsToken: boolean): Promise<HttpApp> {
  const { node, limits, metrics } = shared
  const app = Fastify({
    bodyLimit: limits.body,
    serverFactory: handler => shared.connections.createServer(handler),
    forceCloseConnections: 'idle',
    // The gate answers while the server stops, as a problem.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 64 },
    exposeHeadRoutes: false,
    clientErrorHandler: answerBrokenRequest,
    // Of an address that cannot be decoded. The reply has a type of no schema, to which nothing could be sent.
    frameworkErrors: (error, _request, reply) =>
      void sendProblem(reply as unknown as FastifyReply, problemFor(error, shared.log, {})),
  }).withTypeProvider<ZodTypeProvider>()

  app.setValidatorCompiler<z.ZodType>(({ schema }) => value => {
    const parsed = parse(schema, value)
    return parsed instanceof AppError ? { error: parsed } : { value: parsed }
  })
  // Answers are made by this code; their schemas are for the document and its tests.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async ({ routeOptions: { schema, config } }: FastifyRequest, body: Buffer) =>
      // Many clients say JSON of every request, also of one without a body.
      body.length === 0 && schema?.body === undefined ? undefined : parseJsonBody(body, config.maxDepth ?? MAX_DEPTH),
  )
  app.decorate('clients', {
    trustedProxies: shared.trustedProxies,
    fingerprint: device => node.accounts.fingerprint(device),
  })
  guard(app, shared, needsToken)
  guardUserRoutes(app, node, needsToken)
  app.addHook('preValidation', (request, _reply, done) => {
    // The actors check their events. What users send is also looked up, and no lookup can be made with such a text.
    const why = request.routeOptions.config.forUsers === true ? poisonIn(request.body) : undefined
    done(
      why === undefined
        ? undefined
        : new AppError('invalid_input', `The body was not taken: ${why}. Nothing was changed.`),
    )
  })
  app.setErrorHandler(async (error, request, reply) => {
    const problem = problemFor(error, shared.log, { method: request.method, route: request.routeOptions.url })
    if (problem.status === 413) await discardBody(request.raw)
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, problemOf(new AppError('not_found', 'There is no such route.'))),
  )
  app.addHook('onResponse', (request, reply, done) => {
    const { url, config } = request.routeOptions
    if (config.endless !== true) metrics.answered(request.method, url, reply.statusCode, reply.elapsedTime / 1_000)
    done()
  })

  const schemas = commandSchemas(node.actors.entities.values())
  await registerApiDocument(app, schemas.named)
  documentRoutes(app)
  statusRoutes(app, shared)
  actorRoutes(app, node, schemas)
  snapshotRoutes(app, node)
  batchRoutes(app, shared, schemas)
  auditRoutes(app, node)
  streamRoutes(app, shared)
  liveRoutes(app, shared)
  signInRoutes(app, shared)
  sessionRoutes(app, shared)
  codeRoutes(app, shared)
  recoveryRoutes(app, shared)
  factorRoutes(app, shared)
  passkeyRoutes(app, shared)
  deviceRoutes(app, shared)
  const expected = digest(shared.token)
  passwordRoutes(app, shared, ({ headers }) => !needsToken || carries(headers.authorization, expected))
  userRoutes(app, shared)
  return app
}

/** The answer to any throw; a bug is logged. */
export function problemFor(error: unknown, log: Logger, where: object): Problem {
  const known = asAppError(error)
  if (known !== undefined) return problemOf(known)
  log.error({ ...where, err: error }, 'a request failed: a bug')
  return INTERNAL
}

function guard(app: HttpApp, { token, gate }: HttpShared, needsToken: boolean): void {
  const expected = digest(token)
  app.addHook('onRequest', (request, reply, done) => {
    const { open, forUsers, countsAs } = request.routeOptions.config
    // A cookie forbids no cache on the way to keep what it was answered with.
    if (forUsers === true) reply.header('cache-control', 'no-store')
    if (open === true) return done()
    if (needsToken && forUsers !== true && !carries(request.headers.authorization, expected))
      return done(new AppError('unauthorized', 'Send the token of this node: Authorization: Bearer …'))
    if (countsAs === 'apart') return done()
    try {
      gate.enter(reply.raw, countsAs ?? 'request')
    } catch (error) {
      return done(error as AppError)
    }
    done()
  })
}

function carries(authorization: string | undefined, expected: Buffer): boolean {
  const given = bearerTokenOf(authorization)
  return given !== undefined && timingSafeEqual(digest(given), expected)
}

function poisonIn(body: unknown): string | undefined {
  return body === undefined || body === null ? undefined : poison(body as Json, JSON.stringify(body))
}

/** Of fixed length, so that the comparison tells nothing. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
