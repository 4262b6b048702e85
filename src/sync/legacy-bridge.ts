/** Keeps what RootStream 24.2 wrote into Redis up to date from the log, on one node at a time; nothing waits for it. */
import type { Lease, Logger, Service } from '../core/ports.ts'
import { LegacyAttempt, type LegacyAttemptOptions } from './legacy-attempt.ts'
import type { LegacyKeys } from './legacy-keys.ts'

const LEASE = 'legacy-redis'
/** A node that vanished is replaced after this long, and the next look of another. */
const LEASE_MS = 6_000
const RETRY_MS = 2_000
/** The log is looked at this often without being woken. */
const POLL_MS = 1_000
/** Between two looks, however often it is woken; what comes meanwhile is told together. */
const PACE_MS = 50

export interface LegacyBridgeStats {
  /** 1 on the node that keeps the keys. */
  readonly bridging: number
  /** Changes written. */
  readonly written: number
  readonly failures: number
}

export interface LegacyBridge extends Service {
  /** Something was committed. */
  wake(): void
  stats(): LegacyBridgeStats
}

export interface LegacyBridgeOptions extends LegacyAttemptOptions {
  readonly log: Logger
  openKeys(onClosed: () => void): LegacyKeys
  withLease(name: string, ttlMs: number, work: (lease: Lease, signal: AbortSignal) => Promise<void>): Promise<unknown>
}

export function createLegacyBridge(options: LegacyBridgeOptions): LegacyBridge {
  return new Bridge(options)
}

class Bridge implements LegacyBridge {
  readonly #options: LegacyBridgeOptions
  readonly #stop = new AbortController()
  readonly #counts = { bridging: 0, written: 0, failures: 0 }
  #running: Promise<void> | undefined
  #wake = () => {}
  #woken = false
  #failing = false

  constructor(options: LegacyBridgeOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
  }

  wake(): void {
    this.#woken = true
    this.#wake()
  }

  stats(): LegacyBridgeStats {
    return { ...this.#counts }
  }

  async #run(): Promise<void> {
    const { signal: stopped } = this.#stop
    while (!stopped.aborted) {
      try {
        await this.#options.withLease(LEASE, LEASE_MS, (lease, lost) =>
          this.#bridge(lease.token, AbortSignal.any([lost, stopped])),
        )
      } catch (error) {
        if (!stopped.aborted) this.#failed(error)
      }
      await this.#sleep(RETRY_MS, stopped)
    }
  }

  /** One attempt: until the lease, Redis or the log is lost. */
  async #bridge(token: number, signal: AbortSignal): Promise<void> {
    const ended = new AbortController()
    const keys = this.#options.openKeys(() => ended.abort(new Error('the connection to Redis was closed')))
    const over = AbortSignal.any([signal, ended.signal])
    over.addEventListener('abort', () => keys.close(), { once: true })
    try {
      await unlessAborted(
        new LegacyAttempt(this.#options, keys, token, this.#counts).run(over, () => this.#next(over)),
        over,
      )
    } finally {
      this.#counts.bridging = 0
      keys.close()
    }
  }

  /** Resolves when it is time for another look. The attempt runs well when it gets here. */
  async #next(signal: AbortSignal): Promise<void> {
    if (this.#failing) this.#options.log.info({}, 'The keys of 24.2 in Redis are kept up to date again.')
    this.#failing = false
    await this.#sleep(PACE_MS, signal)
    if (!this.#woken && !signal.aborted) await this.#sleep(POLL_MS, signal, true)
    this.#woken = false
  }

  #failed(error: unknown): void {
    this.#counts.failures++
    if (!this.#failing)
      this.#options.log.warn(
        { error: String(error) },
        'The keys of 24.2 in Redis are not kept up to date; the log is untouched, and they are made good from it. Trying again.',
      )
    this.#failing = true
  }

  #sleep(ms: number, signal: AbortSignal, wakes = false): Promise<void> {
    return new Promise(resolve => {
      if (signal.aborted) return resolve()
      const done = () => {
        cancel()
        signal.removeEventListener('abort', done)
        this.#wake = () => {}
        resolve()
      }
      const cancel = this.#options.clock.after(ms, done)
      signal.addEventListener('abort', done)
      if (wakes) this.#wake = done
    })
  }
}

/** Rejects when the signal says so, without waiting for what cannot be broken off. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort))
}
