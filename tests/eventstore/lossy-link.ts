/** A way to Postgres that loses answers: the server has done what it was asked, the client never hears of it. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface LossyLink {
  /** The server's address, by way of this link. */
  readonly url: string
  /** Cuts the connection that carries the next answer to a statement whose bytes hold `text`, after `meanwhile` has ended. */
  loseAnswerTo(text: string, meanwhile: () => Promise<void>): void
  close(): Promise<void>
}

/** ReadyForQuery, idle: the transaction has ended. */
const READY = Buffer.from('5a0000000549', 'hex')

export async function openLossyLink(to: string): Promise<LossyLink> {
  const { hostname, port } = new URL(to)
  const sockets = new Set<Socket>()
  let loss: { text: string; meanwhile: () => Promise<void> } | undefined

  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    let losing: (() => Promise<void>) | undefined
    const cut = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', cut)
    }
    client.on('data', data => {
      if (loss !== undefined && data.includes(loss.text)) {
        losing = loss.meanwhile
        loss = undefined
      }
      upstream.write(data)
    })
    upstream.on('data', data => {
      if (losing === undefined) client.write(data)
      else if (data.subarray(-READY.length).equals(READY)) void losing().finally(cut)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(to)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    loseAnswerTo: (text, meanwhile) => {
      loss = { text, meanwhile }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
