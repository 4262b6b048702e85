/** One attempt to keep what RootStream 24.2 wrote into Redis up to date: by one holder of the lease, over one connection. */
import type { LogEvent } from '../core/event.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import type { Clock, EventStore } from '../core/ports.ts'
import type { LegacyChange, LegacyKeys } from './legacy-keys.ts'
import { LiveStreams } from './live-streams.ts'

const VIEWERS_EVERY_MS = 1_000
/** Well within the 300 s of the shorter lived key. */
const REFRESH_EVERY_MS = 60_000
const PAGE = 1_000
/** Changes in one transaction. */
const CHUNK = 500
const LOOKUPS_AT_ONCE = 8
/** Further behind than this, what happened is not told step by step: only how things stand. */
const MAX_BEHIND = 20_000

export interface LegacyAttemptOptions {
  readonly store: Pick<EventStore, 'readAll' | 'head'>
  readonly clock: Clock
  /** Streams that are live, as of this position or later. */
  liveIds(position: number): Promise<readonly number[]>
  streamState(id: number): Promise<{ readonly version: number; readonly context: JsonObject }>
}

/** Added to by each attempt. */
interface Counts {
  bridging: number
  written: number
}

export class LegacyAttempt {
  readonly #options: LegacyAttemptOptions
  readonly #keys: LegacyKeys
  readonly #token: number
  readonly #counts: Counts
  readonly #streams = new LiveStreams()
  #position = 0
  /** Where the mark stands: everything up to there is told. */
  #marked = 0
  #viewersAt = Number.NEGATIVE_INFINITY
  #refreshedAt: number

  constructor(options: LegacyAttemptOptions, keys: LegacyKeys, token: number, counts: Counts) {
    this.#options = options
    this.#keys = keys
    this.#token = token
    this.#counts = counts
    this.#refreshedAt = options.clock.now()
  }

  /** Until the signal, or until Redis or the log is lost. `next` resolves when it is time for another look. */
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
