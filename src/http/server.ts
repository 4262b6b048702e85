/** The HTTP API of a node: on loopback TCP with a token, and on a Unix socket guarded by its permissions. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import { isTooDeep } from '../core/json.ts'
import type { Logger } from '../core/ports.ts'
import { asAppError, problemOf, sendProblem } from './problem.ts'
import { actorRoutes } from './routes/actors.ts'
import { auditRoutes } from './routes/audit.ts'
import { statusRoutes } from './routes/status.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers without a token. */
    open?: boolean
  }
}

export interface HttpServerOptions {
  readonly node: RuntimeNode
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /** What callers over TCP must show as a bearer token. */
  readonly token: string
  /** Path of the Unix socket; none where undefined. */
  readonly socket?: string | undefined
  readonly log: Logger
}

export interface HttpServer {
  /** Where TCP listens: `http://127.0.0.1:9880`. */
  readonly url: string
  readonly socket: string | undefined
  /** Takes nothing new, lets requests under way finish. */
  close(): Promise<void>
}

const BODY_LIMIT = 256 * 1024
const REQUEST_TIMEOUT_MS = 30_000

/** Throws AppError `already_running` where the port or the socket is taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, socket } = options
  const tcp = buildApp(options, true)
  const url = await tcp.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new AppError(
      'already_running',
      `Port ${port} is taken. Nothing was changed. Stop what uses it, or set ROOTSTREAM_HTTP_PORT (0 for any free port).`,
      { cause: error },
    )
  })
  const local = socket === undefined ? undefined : buildApp(options, false)
  try {
    if (local !== undefined && socket !== undefined) await listenOnSocket(local, socket)
  } catch (error) {
    await tcp.close()
    throw error
  }
  return {
    url,
    socket,
    close: async () => {
      await Promise.all([tcp.close(), local?.close()])
    },
  }
}

function buildApp({ node, token, log }: HttpServerOptions, needsToken: boolean): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: 60_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 64 },
    exposeHeadRoutes: false,
  })
  const expected = digest(token)
  app.addHook('onRequest', async request => {
    if (!needsToken || request.routeOptions.config.open === true) return
    const given = /^Bearer ([\x21-\x7e]{1,512})$/.exec(request.headers.authorization ?? '')?.[1]
    if (given === undefined || !timingSafeEqual(digest(given), expected))
      throw new AppError('unauthorized', 'Send the token of this node: Authorization: Bearer …')
  })
  app.addHook('preValidation', async request => {
    if (isTooDeep(request.body)) throw new AppError('invalid_input', 'The body nests too deep. Nothing was changed.')
  })
  app.setErrorHandler((error, request, reply) => {
    const known = asAppError(error)
    if (known !== undefined) return sendProblem(reply, problemOf(known))
    log.error({ method: request.method, route: request.routeOptions.url, err: error }, 'a request failed: a bug')
    return sendProblem(reply, {
      type: 'urn:rootstream:error:internal',
      title: 'The node made a mistake.',
      status: 500,
      code: 'internal',
      detail:
        'It is in the log of the node. Retry with the same idempotency key: it settles whether the command was taken.',
      retryable: false,
    })
  })
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, problemOf(new AppError('not_found', 'There is no such route.'))),
  )
  statusRoutes(app, node)
  actorRoutes(app, node)
  auditRoutes(app, node)
  return app
}

/** A socket file that nobody answers on is left over from a node that was killed. */
async function listenOnSocket(app: FastifyInstance, socket: string): Promise<void> {
  if (existsSync(socket)) {
    if (await answers(socket))
      throw new AppError(
        'already_running',
        `A node listens on ${socket}. Nothing was changed. Stop it, or set ROOTSTREAM_SOCKET.`,
      )
    rmSync(socket)
  }
  // The file is made with no rights for others: there is no moment in which they could connect.
  const before = process.umask(0o117)
  try {
    await app.listen({ path: socket })
  } finally {
    process.umask(before)
  }
  chmodSync(socket, 0o660)
}

async function answers(socket: string): Promise<boolean> {
  const connection = connect(socket)
  try {
    await once(connection, 'connect')
    return true
  } catch {
    return false
  } finally {
    connection.destroy()
  }
}

/** Of fixed length, so that the comparison tells nothing. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
