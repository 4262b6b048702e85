/** One client of the event stream: it reads the log until it is at the end, then hears the tail; a slow one goes back to reading. */
import type { ServerResponse } from 'node:http'
import type { LogEvent } from '../../core/event.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { matchPattern } from '../../sync/patterns.ts'
import type { EventTail } from './event-tail.ts'
import { writeSseHead } from './sse-head.ts'

/** Bytes that may wait for a client. Beyond them it is told nothing more until it has read them; the log keeps the rest. */
const BUFFER = 256 * 1024
const MAX_PAGE = 500
const MIN_PAGE = 4
const RETRY_MS = 1_000
/** Reconnect after this time, says the stream to its client. */
const RECONNECT_MS = 2_000
/** A client that reads nothing for so many heartbeats is let go; it may come back and go on. */
const MAX_STALLED = 4

export interface EventStreamOptions {
  readonly out: ServerResponse
  readonly topic: string
  /** Position after which it starts. */
  readonly after: number
  readonly tail: EventTail
  /** Shared by all streams, so that reading the log leaves room for commands. */
  readonly readLog: (after: number, limit: number) => Promise<readonly LogEvent[]>
  /** The event as it is sent; the same for all streams. */
  readonly frame: (event: LogEvent) => string
  readonly clock: Clock
  readonly log: Logger
}

export class EventStream {
  readonly #options: EventStreamOptions
  readonly #out: ServerResponse
  #position: number
  #open = true
  /** Bytes that had left the node at the last heartbeat, and heartbeats since which none did while some wait. */
  #passedOn = 0
  #stalled = 0
  #interrupt: () => void = () => {}

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#out = options.out
    this.#position = options.after
  }

  /** Resolves when the client has gone, or after `end`. */
  async run(): Promise<void> {
    this.#out.once('close', () => this.#closed())
    this.#out.on('error', () => this.#closed())
    if (this.#out.destroyed) return
    writeSseHead(this.#out)
    this.#out.write(`retry: ${RECONNECT_MS}\n\n`)
    while (this.#open) {
      await this.#catchUp()
      if (this.#open) await this.#follow()
      if (this.#open) await this.#drained()
    }
  }

  heartbeat(): void {
    if (!this.#open) return
    const { writableLength: waiting, socket } = this.#out
    if (waiting === 0) this.#out.write(': heartbeat\n\n')
    const passedOn = (socket?.bytesWritten ?? 0) - (socket?.writableLength ?? 0)
    this.#stalled = waiting > 0 && passedOn === this.#passedOn ? this.#stalled + 1 : 0
    this.#passedOn = passedOn
    if (this.#stalled >= MAX_STALLED) this.#out.destroy()
  }

  /** Ends the answer; one that the client does not take is cut off. */
  end(): void {
    if (!this.#open) return
    this.#closed()
    const cancel = this.#options.clock.after(RETRY_MS, () => this.#out.destroy())
    this.#out.once('close', cancel)
    this.#out.end()
  }

  #closed(): void {
    this.#open = false
    this.#interrupt()
  }

  async #catchUp(): Promise<void> {
    const { tail, topic } = this.#options
    let size = MAX_PAGE
    while (this.#open && this.#position < tail.position) {
      const page = await this.#read(size)
      if (page.length === 0) return
      let taken = 0
      for (const event of page) {
        if (!this.#open) return
        taken++
        this.#position = event.position
        if (matchPattern(topic, event.type)) this.#out.write(this.#options.frame(event))
        if (this.#isFull()) break
      }
      // What did not fit is let go and read again: no page is held for a client that takes its time.
      size = taken < page.length ? Math.max(MIN_PAGE, taken) : Math.min(MAX_PAGE, size * 2)
      if (this.#isFull()) await this.#drained()
    }
  }

  async #read(size: number): Promise<readonly LogEvent[]> {
    while (this.#open) {
      try {
        return await this.#options.readLog(this.#position, size)
      } catch (error) {
        this.#options.log.warn({ error: String(error) }, 'an event stream could not read the log; it tries again')
        await this.#until(wake => this.#options.clock.after(RETRY_MS, wake))
      }
    }
    return []
  }

  /** Passes on what the tail hands out, until the client is too slow for it. */
  async #follow(): Promise<void> {
    const { tail, topic, frame } = this.#options
    await this.#until(wake =>
      tail.subscribe(topic, event => {
        if (!this.#open || this.#isFull() || event.position <= this.#position) return
        this.#position = event.position
        this.#out.write(frame(event))
        if (this.#isFull()) wake()
      }),
    )
  }

  async #drained(): Promise<void> {
    if (!this.#out.writableNeedDrain) return
    await this.#until(wake => {
      this.#out.once('drain', wake)
      return () => this.#out.off('drain', wake)
    })
  }

  #isFull(): boolean {
    return this.#out.writableLength > BUFFER
  }

  /** Waits for what `begin` arranges, or for the end of the stream. */
  async #until(begin: (wake: () => void) => () => void): Promise<void> {
    let over: () => void = () => {}
    await new Promise<void>(resolve => {
      this.#interrupt = resolve
      over = begin(resolve)
    })
    this.#interrupt = () => {}
    over()
  }
}
