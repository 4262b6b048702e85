/** Keeps what RootStream 24.2 wrote into Redis up to date from the log, on one node at a time; nothing waits for it. */
import type { LogEvent } from '../core/event.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import type { Clock, EventStore, Lease, Logger, Service } from '../core/ports.ts'
import type { LegacyChange, LegacyKeys } from './legacy-keys.ts'
import { LiveStreams } from './live-streams.ts'

const LEASE = 'legacy-redis'
/** A node that vanished is replaced after this long, and the next look of another. */
const LEASE_MS = 6_000
const RETRY_MS = 2_000
/** The log is looked at this often without being woken. */
const POLL_MS = 1_000
/** Between two looks, however often it is woken; what comes meanwhile is told together. */
const PACE_MS = 50
const VIEWERS_EVERY_MS = 1_000
/** Well within the 300 s of the shorter lived key. */
const REFRESH_EVERY_MS = 60_000
const PAGE = 1_000
/** Changes in one transaction. */
const CHUNK = 500
const LOOKUPS_AT_ONCE = 8
/** Further behind than this, what happened is not told step by step: only how things stand. */
const MAX_BEHIND = 20_000

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

export interface LegacyBridgeOptions {
  readonly store: Pick<EventStore, 'readAll' | 'head'>
  readonly clock: Clock
  readonly log: Logger
  openKeys(onClosed: () => void): LegacyKeys
  withLease(name: string, ttlMs: number, work: (lease: Lease, signal: AbortSignal) => Promise<void>): Promise<unknown>
  /** Streams that are live, as of this position or later. */
  liveIds(position: number): Promise<readonly number[]>
  streamState(id: number): Promise<{ readonly version: number; readonly context: JsonObject }>
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
        new Attempt(this.#options, keys, token, this.#counts).run(over, () => this.#next(over)),
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

/** What one holder of the lease does over one connection. */
class Attempt {
  readonly #options: LegacyBridgeOptions
  readonly #keys: LegacyKeys
  readonly #token: number
  readonly #counts: { bridging: number; written: number }
  readonly #streams = new LiveStreams()
  #position = 0
  /** Where the mark stands: everything up to there is told. */
  #marked = 0
  #viewersAt = Number.NEGATIVE_INFINITY
  #refreshedAt: number

  constructor(
    options: LegacyBridgeOptions,
    keys: LegacyKeys,
    token: number,
    counts: { bridging: number; written: number },
  ) {
    this.#options = options
    this.#keys = keys
    this.#token = token
    this.#counts = counts
    this.#refreshedAt = options.clock.now()
  }

  async run(signal: AbortSignal, next: () => Promise<void>): Promise<void> {
    await this.#catchUp()
    this.#counts.bridging = 1
    while (!signal.aborted) {
      await this.#follow()
      await this.#tellViewers()
      await this.#refresh()
      await next()
    }
  }

  /** From what the holder before left in Redis to how things stand now. */
  async #catchUp(): Promise<void> {
    const { store } = this.#options
    await this.#keys.connect()
    const position = await this.#keys.claim(this.#token)
    for (const id of await this.#keys.liveIds()) this.#streams.known(id)
    const head = await store.head()
    const behind = position === undefined ? Number.POSITIVE_INFINITY : head - position
    this.#position = behind >= 0 && behind <= MAX_BEHIND ? head - behind : head
    this.#marked = this.#position
    await this.#follow()
    await this.#reconcile()
  }

  /** Tells of all that was appended since. */
  async #follow(): Promise<void> {
    for (;;) {
      const events: readonly LogEvent[] = await this.#options.store.readAll(this.#position, PAGE)
      const last = events.at(-1)
      if (last === undefined) return
      const changes = this.#streams.apply(events)
      this.#position = last.position
      if (changes.length > 0) await this.#write(changes)
      if (events.length < PAGE) return
    }
  }

  /** Streams that are live without a key, and keys of streams that are not, whatever led to it. */
  async #reconcile(): Promise<void> {
    const live = new Set(await this.#options.liveIds(this.#position))
    const changes: (LegacyChange | undefined)[] = []
    for (const id of this.#streams.ids) {
      if (live.has(id)) continue
      const { version } = await this.#options.streamState(id)
      // Not of this log: whoever wrote it may still want it, and it runs out by itself.
      if (version === 0) this.#streams.forget(id)
      else changes.push(this.#streams.set(id, false))
    }
    for (const id of live) changes.push(this.#streams.set(id, true))
    await this.#write(changes.filter(change => change !== undefined))
  }

  async #tellViewers(): Promise<void> {
    const now = this.#options.clock.now()
    if (Math.abs(now - this.#viewersAt) < VIEWERS_EVERY_MS) return
    this.#viewersAt = now
    for (let ids = this.#streams.takeChanged(CHUNK); ids.length > 0; ids = this.#streams.takeChanged(CHUNK)) {
      const waiting = [...ids]
      const changes: LegacyChange[] = []
      const look = async () => {
        for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
          const change = this.#streams.counted(id, viewersOf((await this.#options.streamState(id)).context))
          if (change !== undefined) changes.push(change)
        }
      }
      await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, look))
      await this.#write(changes)
    }
  }

  async #refresh(): Promise<void> {
    const now = this.#options.clock.now()
    if (Math.abs(now - this.#refreshedAt) < REFRESH_EVERY_MS) return
    this.#refreshedAt = now
    await this.#write(this.#streams.all())
  }

  /** Also without changes it moves the mark, and finds out where Redis has lost it. */
  async #write(changes: readonly LegacyChange[]): Promise<void> {
    for (let from = 0; from === 0 || from < changes.length; from += CHUNK) {
      const isLast = from + CHUNK >= changes.length
      const position = isLast ? this.#position : this.#marked
      await this.#keys.write(changes.slice(from, from + CHUNK), { token: this.#token, position })
    }
    this.#marked = this.#position
    this.#counts.written += changes.length
  }
}

function viewersOf(context: JsonObject): number {
  const row = context['row']
  const count = isJsonObject(row) ? row['viewer_count'] : 0
  return typeof count === 'number' ? Math.max(0, count) : 0
}

/** Rejects when the signal says so, without waiting for what cannot be broken off. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort))
}
