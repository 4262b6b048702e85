/** How the nodes of an example hear each other, with a way to cut one of them off: a hub in this process, or Redis through a relay. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createInProcessHub, type NodeOptions } from '../src/index.ts'

export interface CuttableLink {
  /** What a node is created with. */
  optionsOf(node: string): Pick<NodeOptions, 'redis' | 'hub'>
  cut(): void
  heal(): void
  close(): Promise<void>
}

/** @param redis `redis://…`; undefined: the nodes meet in this process */
export async function openLink(redis: string | undefined, cuttable: string): Promise<CuttableLink> {
  if (redis === undefined) {
    const hub = createInProcessHub()
    return {
      optionsOf: () => ({ hub }),
      cut: () => hub.cut(cuttable),
      heal: () => hub.heal(cuttable),
      close: async () => {},
    }
  }
  const relay = await openRelay(new URL(redis))
  return { ...relay, optionsOf: node => ({ redis: node === cuttable ? relay.url : redis }) }
}

/** A TCP relay to the server. The certificate of a `rediss://` server does not name it, so that is refused by the client. */
async function openRelay(target: URL): Promise<Omit<CuttableLink, 'optionsOf'> & { readonly url: string }> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer(client => {
    if (isCut) return client.destroy()
    const upstream = connect(Number(target.port || 6379), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    cut: () => {
      isCut = true
      breakAll()
    },
    heal: () => {
      isCut = false
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      breakAll()
      await closed
    },
  }
}
