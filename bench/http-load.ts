/** Requests over keep-alive connections, each with one in flight, read with as little work as can be: the client must not be what is measured. */
import { connect, type Socket } from 'node:net'

export interface LoadRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
}

export interface LoadAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

export interface LoadConnection {
  send(request: Buffer): Promise<LoadAnswer>
  close(): void
}

export function requestBytes(url: string, { method, path, headers = {}, body }: LoadRequest): Buffer {
  const content = body === undefined ? '' : JSON.stringify(body)
  const all = {
    host: new URL(url).host,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${content}`)
}

/** @param localAddress the loopback address the server sees, for what is counted by address */
export async function openConnection(url: string, localAddress = '127.0.0.1'): Promise<LoadConnection> {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect({ host: hostname, port: Number(port), localAddress, noDelay: true })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let held = ''
  let waiting: { resolve(answer: LoadAnswer): void; reject(error: Error): void } | undefined
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    held += chunk
    const answer = wholeAnswer(held)
    if (answer === undefined) return
    held = ''
    const { resolve } = waiting ?? { resolve: () => {} }
    waiting = undefined
    resolve(answer)
  })
  let failure: Error | undefined
  const broken = (error: Error) => {
    failure = error
    waiting?.reject(error)
  }
  socket.on('error', broken)
  socket.on('close', () => broken(failure ?? new Error('the server closed the connection')))
  return {
    send: request =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        waiting = { resolve, reject }
        socket.write(request)
      }),
    close: () => socket.destroy(),
  }
}

function wholeAnswer(text: string): LoadAnswer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = text.slice(0, end)
  const rest = text.slice(end + 4)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return rest.length >= Number(length) ? { status, head, body: rest } : undefined
  if (/\r\ntransfer-encoding: *chunked/i.test(head))
    return rest.endsWith('0\r\n\r\n') ? { status, head, body: rest } : undefined
  return { status, head, body: '' }
}

/** Sends `count` requests over these connections, in turn from the list. Rejects on a status that is not wanted. */
export async function drive(
  connections: readonly LoadConnection[],
  requests: readonly Buffer[],
  count: number,
  wanted: number,
): Promise<void> {
  let next = 0
  await Promise.all(
    connections.map(async connection => {
      while (next < count) {
        const request = requests[next++ % requests.length] as Buffer
        const { status, body } = await connection.send(request)
        if (status !== wanted) throw new Error(`expected ${wanted}, got ${status}: ${body.slice(0, 500)}`)
      }
    }),
  )
}
