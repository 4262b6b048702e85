/** A client as a node's host program would have one: keep-alive, idempotency keys, and the same command again until it is settled. */
import http from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: unknown
}

export interface Acknowledgement {
  readonly key: string
  readonly actor: string
  readonly id: number
  readonly version: number
  readonly position: number
  readonly userId: number | null
}

export class HttpClient {
  readonly #token: string
  readonly #agent: http.Agent
  #base: URL
  /** Requests that had to be sent again, because the connection broke or the node asked for it. */
  retries = 0

  constructor(base: string, token: string, connections: number) {
    this.#base = new URL(base)
    this.#token = token
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  }

  /** Where the node listens after a restart. */
  moveTo(base: string): void {
    this.#base = new URL(base)
  }

  close(): void {
    this.#agent.destroy()
  }

  /** One request, one answer. Rejects when the connection breaks before the whole answer is there. */
  request(
    method: string,
    path: string,
    options: { body?: object; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          method,
          path,
          hostname: this.#base.hostname,
          port: this.#base.port,
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${this.#token}`,
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
            ...options.headers,
          },
        },
        response => {
          const chunks: Buffer[] = []
          response.on('data', chunk => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            if (!response.complete) return reject(new Error('the answer was cut off'))
            const text = Buffer.concat(chunks).toString()
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: text === '' ? null : JSON.parse(text),
            })
          })
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  }

  /**
   * Sends a command until it is acknowledged: a broken connection or a retryable error is answered by the same command
   * id. Rejects on a refusal or another error, and after `patienceMs` without any answer.
   */
  async command(
    path: string,
    event: object,
    options: { key: string; userId?: number; patienceMs?: number },
  ): Promise<Acknowledgement> {
    const deadline = performance.now() + (options.patienceMs ?? 120_000)
    const headers = {
      'idempotency-key': options.key,
      ...(options.userId === undefined ? {} : { 'x-user-id': String(options.userId) }),
    }
    for (;;) {
      const answer = await this.request('POST', path, { body: event, headers }).catch((error: Error) => error)
      if (!(answer instanceof Error)) {
        if (answer.status === 200 || answer.status === 201)
          return {
            ...(answer.body as Omit<Acknowledgement, 'key' | 'userId'>),
            key: options.key,
            userId: options.userId ?? null,
          }
        // Tentative: the same id asks what became of it, until the log has it.
        const retryable = answer.status === 202 || (answer.body as { retryable?: boolean } | null)?.retryable === true
        if (!retryable)
          throw new Error(`${path} ${JSON.stringify(event)}: ${answer.status} ${JSON.stringify(answer.body)}`)
      }
      if (performance.now() > deadline) throw new Error(`${path} was not settled in time`, { cause: answer })
      this.retries++
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
