/** The servers under the API and the connections to them: bounded in time, and none keeps a stopping node. */
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpLimits } from './limits.ts'

export interface Connections {
  createServer(handler: RequestListener): Server
  /**
   * Takes no new connections, ends those on which nothing was asked yet (Node takes them for busy), and the others
   * after the answer under way.
   */
  drain(): void
  closeAll(): void
}

export function createConnections(limits: HttpLimits): Connections {
  const all = new Set<Socket>()
  const unused = new Set<Socket>()
  const answers = new Set<ServerResponse>()
  let closing = false
  const connected = (socket: Socket) => {
    if (closing) {
      socket.destroy()
      return
    }
    all.add(socket)
    unused.add(socket)
    socket.once('close', () => {
      all.delete(socket)
      unused.delete(socket)
    })
  }
  return {
    createServer(handler) {
      const server = createServer(
        {
          maxHeaderSize: limits.headers,
          headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
          requestTimeout: limits.requestTimeoutMs,
          keepAliveTimeout: limits.keepAliveMs,
          connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
        },
        handler,
      )
      server.on('connection', connected)
      server.on('request', ({ socket }, answer) => {
        unused.delete(socket)
        answers.add(answer)
        answer.once('close', () => {
          answers.delete(answer)
          if (closing) socket.end()
        })
      })
      return server
    },
    drain() {
      closing = true
      for (const answer of answers) if (!answer.headersSent) answer.setHeader('connection', 'close')
      for (const socket of unused) socket.destroy()
    },
    closeAll() {
      for (const socket of all) socket.destroy()
    },
  }
}
