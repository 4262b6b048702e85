/** A connection on which a test writes bytes as it likes. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: Record<string, unknown>
}

export interface RawConnection {
  readonly socket: Socket
  write(text: string): void
  /** The next answer with a JSON body. Rejects where the connection ends before. */
  answer(): Promise<RawAnswer>
  /** Resolves when the server has closed it. */
  closed(): Promise<void>
}

export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  let text = ''
  let ended = false
  let changed = Promise.withResolvers<void>()
  const notify = () => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  socket.setEncoding('latin1')
  socket.on('data', chunk => {
    text += chunk
    notify()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    ended = true
    notify()
  })
  await once(socket, 'connect')
  return {
    socket,
    write: data => void socket.write(data),
    async answer() {
      for (;;) {
        const end = text.indexOf('\r\n\r\n')
        const head = text.slice(0, Math.max(0, end))
        const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? Number.NaN)
        if (end >= 0 && text.length >= end + 4 + length) {
          const body = Buffer.from(text.slice(end + 4, end + 4 + length), 'latin1').toString()
          text = text.slice(end + 4 + length)
          return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) }
        }
        if (ended) throw new Error(`the connection ended with '${text.slice(0, 200)}'`)
        await changed.promise
      }
    },
    async closed() {
      while (!ended) await changed.promise
    },
  }
}
