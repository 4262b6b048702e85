/** Opens the sockets to Redis. */
import { createConnection } from 'node:net'
import { connect } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'

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

  override async connect() {
    const { host = 'localhost', port = 6379, tls } = this.#options
    const socket = tls === undefined ? createConnection({ host, port }) : connect({ ...tls, host, port })
    socket.on('error', error => {
      this.firstError ??= error
    })
    this.connecting = true
    this.stream = socket
    return socket
  }

  /** A socket that is closed already must not leave a timer behind. */
  override disconnect(): void {
    if (this.stream?.destroyed !== false) this.connecting = false
    else super.disconnect()
  }
}
