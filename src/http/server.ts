/** The HTTP API of a node: on loopback TCP with a token, and on a Unix socket guarded by its permissions. */
import type { RuntimeNode } from '../app.ts'
import { AppError } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { systemClock } from '../system-clock.ts'
import { proxyList } from './client-address.ts'
import { createConnections } from './connections.ts'
import { createHttpApp, type HttpApp } from './http-app.ts'
import { createGate, HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { createHttpMetrics } from './metrics.ts'
import { listenOnSocket } from './socket.ts'
import { createEventStreams } from './streams/event-streams.ts'
import { createLiveStreams } from './streams/live-streams.ts'

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
  readonly clock?: Clock
  readonly limits?: Partial<HttpLimits>
  /** Addresses and networks (`10.0.0.0/8`) of proxies whose X-Forwarded-For is believed; none by default. */
  readonly trustedProxies?: readonly string[] | undefined
}

export interface HttpServer {
  /** Where TCP listens: `http://127.0.0.1:9880`. */
  readonly url: string
  readonly socket: string | undefined
  /** Ends event streams, takes nothing new, lets requests under way finish within reason. */
  close(): Promise<void>
}

/** Throws AppError `already_running` where the port or the socket is taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { node, host, port, socket, token, log, clock = systemClock } = options
  const limits = { ...HTTP_LIMITS, ...options.limits }
  const gate = createGate(limits)
  const streams = createEventStreams({ node, clock, log, limit: limits.eventStreams })
  const liveStreams = createLiveStreams({ node, clock, limit: limits.eventStreams })
  const metrics = createHttpMetrics({
    node,
    inFlight: () => gate.inFlight,
    streams: () => streams.open + liveStreams.open,
  })
  const connections = createConnections(limits)
  const trustedProxies = proxyList(options.trustedProxies ?? [])
  const shared = { node, token, log, limits, connections, gate, streams, liveStreams, metrics, trustedProxies }

  const apps: HttpApp[] = []
  const close = async () => {
    gate.close()
    liveStreams.stop()
    await streams.stop()
    // Whoever does not read its answer does not keep the node from stopping.
    const cancel = clock.after(limits.closeMs, () => connections.closeAll())
    connections.drain()
    await Promise.all(apps.map(app => app.close()))
    cancel()
  }
  try {
    const tcp = await createHttpApp(shared, true)
    apps.push(tcp)
    const url = await listenOnTcp(tcp, host, port)
    if (socket !== undefined) {
      const local = await createHttpApp(shared, false)
      apps.push(local)
      await listenOnSocket(local, socket)
    }
    return { url, socket, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function listenOnTcp(app: HttpApp, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw new AppError(
        'already_running',
        `Port ${port} is taken. Nothing was changed. Stop what uses it, or set ROOTSTREAM_HTTP_PORT (0 for any free port).`,
        { cause: error },
      )
    throw new AppError(
      'setup_failed',
      `HTTP cannot listen on ${host}, port ${port} (${(error as Error).message}). Nothing was changed. Check ROOTSTREAM_HTTP_HOST and ROOTSTREAM_HTTP_PORT.`,
      { cause: error },
    )
  }
}
