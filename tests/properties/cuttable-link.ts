/** The connections of one process to Postgres: when the process is killed all break at once, and none is made again. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CuttableLink {
  /** The server's address, by way of this link. */
  readonly url: string
  /** Resolves when it is cut. */
  readonly gone: Promise<void>
  /** Cuts after so many more pieces of data, in either direction, have passed. */
  cutAfter(pieces: number): void
  cut(): void
}

export async function openCuttableLink(to: string): Promise<CuttableLink> {
  const { hostname, port } = new URL(to)
  const sockets = new Set<Socket>()
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  let left = Number.POSITIVE_INFINITY
  const passed = () => {
    left--
    if (left <= 0) cut()
  }
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    const close = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const [from, into] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', close)
      from.on('close', () => {
        sockets.delete(from)
        close()
      })
      from.on('data', data => {
        into.write(data)
        passed()
      })
    }
  })
  function cut(): void {
    // Not waited for: what a server has received of a killed client it still carries out.
    for (const socket of sockets) socket.destroy()
    if (server.listening) server.close()
    resolve()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(to)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    gone,
    cutAfter: pieces => {
      left = pieces
    },
    cut,
  }
}
