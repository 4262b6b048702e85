/** How much a node takes over HTTP at a time; what is over it is answered, not queued. */
import type { ServerResponse } from 'node:http'
import { AppError } from '../core/errors.ts'

export interface HttpLimits {
  /** Bytes of a body. */
  readonly body: number
  /** Bytes of the body of a batch of commands. */
  readonly batchBody: number
  /** Bytes of the request line and all headers. */
  readonly headers: number
  /** Requests that are answered at the same time; event streams, health, readiness and metrics do not count. */
  readonly inFlight: number
  /** Batches that are answered at the same time, for each may hold `batchBody` bytes. */
  readonly batchesInFlight: number
  /** Event streams that are open at the same time. */
  readonly eventStreams: number
  /** Time from the connection, or the request before, to the last header. */
  readonly headersTimeoutMs: number
  /** Time to the last byte of the body. */
  readonly requestTimeoutMs: number
  /** Time an idle connection stays open. */
  readonly keepAliveMs: number
  /** How long a stopping server waits for answers under way. */
  readonly closeMs: number
}

export const HTTP_LIMITS: HttpLimits = {
  body: 256 * 1024,
  batchBody: 4 * 1024 * 1024,
  headers: 16 * 1024,
  inFlight: 1_024,
  batchesInFlight: 16,
  eventStreams: 256,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 60_000,
  closeMs: 10_000,
}

export interface Gate {
  readonly inFlight: number
  /** Counts a request until its answer is over. Throws AppError `overloaded`, `shutting_down`. */
  enter(answer: ServerResponse, kind: 'request' | 'batch'): void
  /** From now on nothing enters. */
  close(): void
}

export function createGate(limits: HttpLimits): Gate {
  let requests = 0
  let batches = 0
  let closed = false
  return {
    get inFlight() {
      return requests
    },
    enter(answer, kind) {
      if (closed)
        throw new AppError('shutting_down', 'The node is stopping. The request was not taken; send it again later.')
      if (requests >= limits.inFlight || (kind === 'batch' && batches >= limits.batchesInFlight))
        throw new AppError(
          'overloaded',
          `As many ${kind === 'batch' ? 'batches' : 'requests'} as the node takes at a time are under way. This one was not taken; send it again later.`,
        )
      requests++
      if (kind === 'batch') batches++
      // Comes once for every answer, also for one whose client has gone.
      answer.once('close', () => {
        requests--
        if (kind === 'batch') batches--
      })
    },
    close() {
      closed = true
    },
  }
}
