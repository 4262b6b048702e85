/** A way to a server that can be cut and mended. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Link {
  /** The server's address, by way of this link. */
  readonly url: string
  /** Ends every connection and takes no new one. What the server has received by now it still carries out. */
  cut(): void
  /** The next append is carried out and its answer is lost, with every connection. */
  loseNextAppend(): void
  mend(): void
  close(): void
}

export async function openLink(to: string): Promise<Link> {
  const { hostname, port } = new URL(to)
  const sockets = new Set<Socket>()
  let state: 'whole' | 'waiting' | 'cut' = 'whole'
  const cut = () => {
    state = 'cut'
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer(client => {
    if (state === 'cut') return void client.destroy()
    const upstream = connect(Number(port), hostname)
    const close = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', close)
      socket.on('close', () => {
        sockets.delete(socket)
        close()
      })
    }
    let deaf = false
    client.on('data', data => {
      deaf ||= state === 'waiting' && data.includes('append_batch')
      upstream.write(data)
    })
    upstream.on('data', data => {
      if (deaf) cut()
      else client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(to)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    cut,
    loseNextAppend: () => {
      state = 'waiting'
    },
    mend: () => {
      state = 'whole'
    },
    close: () => {
      cut()
      server.close()
    },
  }
}
