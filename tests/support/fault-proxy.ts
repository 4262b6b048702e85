/** A TCP way to a server that a test can make slow, narrow, deaf, dumb or broken while connections run over it. One proxy is one group of connections. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Way = 'toServer' | 'toClient'

/** One client's connection and the one to the server it stands for. */
export interface ProxiedConnection {
  /** Breaks both sides. */
  destroy(): void
}

export interface FaultProxyOptions {
  /** Sees each piece as it comes in; false keeps it from the other side for ever. */
  readonly inspect?: (data: Buffer, way: Way, connection: ProxiedConnection) => boolean
}

export interface FaultProxy {
  readonly port: number
  /** An address of the server, by way of this proxy. */
  via(url: string): string
  /** Connections that are open now. */
  readonly connections: number
  /** Each piece arrives so much later, by chance up to `jitterMs` more; the order is kept. */
  delay(ms: number, jitterMs?: number): void
  /** In each way of each connection. */
  throttle(bytesPerSecond: number): void
  /** Nothing more arrives, and nobody is told: connections stay open, and new ones open and stay silent. */
  cut(way?: Way | 'both'): void
  /** Full speed in both ways. What was held back arrives now, as TCP would send it again. */
  heal(): void
  /** Breaks every connection at both ends; new ones are taken. */
  reset(): void
  /** Breaks every connection and takes no more. */
  close(): Promise<void>
}

interface Connection extends ProxiedConnection {
  flows: readonly Flow[]
}

/** Beyond this the sender is no longer read, and sees its own buffers fill. */
const HELD_BYTES = 256 * 1024

interface Conditions {
  delayMs: number
  jitterMs: number
  bytesPerSecond: number
  readonly isCut: Record<Way, boolean>
}

/** @param to address of the server, of any scheme, with host and port */
export async function openFaultProxy(to: string, { inspect }: FaultProxyOptions = {}): Promise<FaultProxy> {
  const { hostname, port } = new URL(to)
  const conditions: Conditions = healthy()
  const open = new Set<Connection>()

  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    const connection: Connection = {
      flows: [],
      destroy: () => {
        for (const flow of connection.flows) flow.stop()
        client.resetAndDestroy()
        upstream.resetAndDestroy()
        open.delete(connection)
      },
    }
    const watch = (data: Buffer, way: Way) => inspect?.(data, way, connection) ?? true
    let ended = 0
    const onEnd = () => {
      if (++ended === 2) open.delete(connection)
    }
    connection.flows = [
      new Flow({ from: client, into: upstream, way: 'toServer', conditions, inspect: watch, onEnd }),
      new Flow({ from: upstream, into: client, way: 'toClient', conditions, inspect: watch, onEnd }),
    ]
    open.add(connection)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port
  const change = (changes: Partial<Conditions>) => {
    Object.assign(conditions, changes)
    for (const { flows } of open) for (const flow of flows) flow.pump()
  }
  const reset = () => {
    for (const connection of open) connection.destroy()
  }

  return {
    port: own,
    via: url => {
      const changed = new URL(url)
      changed.hostname = '127.0.0.1'
      changed.port = String(own)
      return changed.href
    },
    get connections() {
      return open.size
    },
    delay: (delayMs, jitterMs = 0) => change({ delayMs, jitterMs }),
    throttle: bytesPerSecond => change({ bytesPerSecond }),
    cut: (way = 'both') =>
      change({
        isCut: {
          toServer: conditions.isCut.toServer || way !== 'toClient',
          toClient: conditions.isCut.toClient || way !== 'toServer',
        },
      }),
    heal: () => change(healthy()),
    reset,
    close: async () => {
      if (server.listening) server.close()
      reset()
    },
  }
}

function healthy(): Conditions {
  return {
    delayMs: 0,
    jitterMs: 0,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    isCut: { toServer: false, toClient: false },
  }
}

interface FlowOptions {
  readonly from: Socket
  readonly into: Socket
  readonly way: Way
  readonly conditions: Conditions
  readonly inspect: (data: Buffer, way: Way) => boolean
  /** The end of `from` was passed on. */
  readonly onEnd: () => void
}

/** One way of one connection. */
class Flow {
  readonly #options: FlowOptions
  /** In order; without data it is the end of the connection. */
  #held: { readonly data?: Buffer; readonly due: number }[] = []
  #bytes = 0
  /** When the last piece that was sent is through, at the speed it was sent with. */
  #through = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: FlowOptions) {
    this.#options = options
    const { from, way, inspect } = options
    from.setNoDelay(true)
    from.on('data', data => {
      if (inspect(data, way)) this.#take(data)
    })
    from.on('error', () => {})
    from.on('close', () => this.#take())
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#held = []
  }

  /** Sends what is due. */
  pump(): void {
    clearTimeout(this.#timer)
    const { from, into, way, conditions, onEnd } = this.#options
    for (let next = this.#held[0]; next !== undefined && !conditions.isCut[way]; next = this.#held[0]) {
      const now = performance.now()
      // Where the conditions have become better, what waits goes at once.
      const due = conditions.delayMs + conditions.jitterMs === 0 ? now : next.due
      const wait = Math.max(due, conditions.bytesPerSecond === Number.POSITIVE_INFINITY ? 0 : this.#through) - now
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), Math.ceil(wait))
        return
      }
      this.#held.shift()
      if (next.data === undefined) {
        into.end()
        onEnd()
        return
      }
      this.#bytes -= next.data.length
      this.#through = now + (next.data.length / conditions.bytesPerSecond) * 1_000
      into.write(next.data)
      if (this.#bytes < HELD_BYTES) from.resume()
    }
  }

  #take(data?: Buffer): void {
    const { from, conditions } = this.#options
    const { delayMs, jitterMs } = conditions
    const due = Math.max(performance.now() + delayMs + Math.random() * jitterMs, this.#held.at(-1)?.due ?? 0)
    this.#held.push(data === undefined ? { due } : { data, due })
    this.#bytes += data?.length ?? 0
    if (this.#bytes >= HELD_BYTES) from.pause()
    this.pump()
  }
}
