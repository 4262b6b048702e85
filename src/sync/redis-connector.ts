/** Opens the sockets to Redis. */
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { Endpoint } from './redis-url.ts'

const LOCATE_AGAIN_MS = 500

type ErrorEmitter = (type: string, err: Error) => void

/**
 * ioredis listens to the first error of a socket only, and a TLS socket has a second one when its certificate is
 * refused: it would end the process. Here every socket has a listener for as long as it lives.
 */
export class GuardedConnector extends AbstractConnector {
  readonly #options: Pick<RedisOptions, 'host' | 'port' | 'tls'>

  // ioredis calls it with its own complete options.
  constructor(options: unknown) {
    const known = options as RedisOptions
    super(known.disconnectTimeout ?? 0)
    this.#options = known
  }

  override async connect(emit: ErrorEmitter) {
    this.connecting = true
    const { host, port } = await this.#find(emit)
    const { tls } = this.#options
    const socket = tls === undefined ? createConnection({ host, port }) : connect({ ...tls, host, port })
    socket.on('error', error => {
      this.firstError ??= error
    })
    this.stream = socket
    return socket
  }

  // ioredis connects never again where this rejects, so it tries on for as long as anybody wants the connection.
  async #find(emit: ErrorEmitter): Promise<Endpoint> {
    for (;;) {
      const found = await this.locate().catch(err => void emit('error', err))
      if (!this.connecting) throw new Error('Connection is closed.')
      if (found !== undefined) return found
      await delay(LOCATE_AGAIN_MS, undefined, { ref: false })
    }
  }

  /** Asked before each connection. */
  protected async locate(): Promise<Endpoint> {
    const { host = 'localhost', port = 6379 } = this.#options
    return { host, port }
  }

  /** A socket that is closed already must not leave a timer behind. */
  override disconnect(): void {
    if (this.stream?.destroyed !== false) this.connecting = false
    else super.disconnect()
  }
}

/** A connector that asks each time where to connect to. */
export function createLocatingConnector(locate: () => Promise<Endpoint>): typeof GuardedConnector {
  return class extends GuardedConnector {
    protected override locate(): Promise<Endpoint> {
      return locate()
    }
  }
}
