/** A sentinel that names the master it is told to, for what real ones cannot be made to do at a given moment. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

export interface ToldSentinel {
  readonly port: number
  /** From now on this is the master, by a failover more. */
  name(port: number): void
  stop(): Promise<void>
}

export async function startToldSentinel(port: number): Promise<ToldSentinel> {
  let master = port
  let epoch = 1
  const open = new Set<Socket>()
  const answer = () => {
    const fields = ['ip', '127.0.0.1', 'port', String(master), 'config-epoch', String(epoch)]
    return `*${fields.length}\r\n${fields.map(field => `$${field.length}\r\n${field}\r\n`).join('')}`
  }
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    socket.on('data', data => {
      // One array for each command; whatever is not the question is taken.
      for (const command of data
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1))
        socket.write(/^\$\d+\r\nsentinel\r\n/i.test(command) ? answer() : '+OK\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    name(next) {
      master = next
      epoch++
    },
    async stop() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
