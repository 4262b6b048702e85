/** Follows the end of the log for all event streams of a node: one reader, woken by commits and frames, polling as the truth. */
import type { RuntimeNode } from '../../app.ts'
import type { LogEvent } from '../../core/event.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { createTopics, type Topics } from '../../sync/patterns.ts'

const POLL_MS = 1_000
const PAGE = 100

export class EventTail {
  readonly #node: RuntimeNode
  readonly #clock: Clock
  readonly #log: Logger
  readonly #topics: Topics<LogEvent>
  #position = 0
  #users = 0
  #started: Promise<void> | undefined
  #running: Promise<void> | undefined
  #again = false
  #wakeUp: () => void = () => {}

  constructor({ node, clock, log }: { node: RuntimeNode; clock: Clock; log: Logger }) {
    this.#node = node
    this.#clock = clock
    this.#log = log
    this.#topics = createTopics<LogEvent>({ log })
  }

  /** Everything up to here was handed out to whoever subscribed. */
  get position(): number {
    return this.#position
  }

  /** Makes it follow until `leave`. Throws AppError `log_unavailable`. */
  async join(): Promise<void> {
    this.#users++
    this.#started ??= this.#start()
    const started = this.#started
    try {
      await started
    } catch (error) {
      // Whoever came after the failure may have made another start.
      if (this.#started === started) this.#started = undefined
      this.#users--
      throw error
    }
  }

  leave(): void {
    this.#users--
    if (this.#users === 0) this.#wake()
  }

  /** Throws AppError `invalid_input` on a malformed pattern. Calls back in the order of the log. */
  subscribe(pattern: string, listener: (event: LogEvent) => void): () => void {
    return this.#topics.subscribe(pattern, listener)
  }

  /** Resolves when nothing is read any more; everybody has left by then. */
  async stopped(): Promise<void> {
    await this.#started?.catch(() => undefined)
    await this.#running
  }

  async #start(): Promise<void> {
    this.#position = await this.#node.log.head()
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    const unsubscribe = this.#node.subscribe('*', () => this.#wake())
    while (this.#users > 0) {
      this.#again = false
      const more = await this.#page()
      if (!more && !this.#again && this.#users > 0) await this.#nap()
    }
    // In the same turn as the look at the users: who joins later starts anew.
    unsubscribe()
    this.#started = undefined
  }

  /** Hands out what is next in the log; true where there may be more. */
  async #page(): Promise<boolean> {
    try {
      const events = await this.#node.log.readAll(this.#position, PAGE)
      for (const event of events) this.#topics.emit(event.type, event)
      this.#position = events.at(-1)?.position ?? this.#position
      return events.length === PAGE
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'the log could not be read for event streams; they go on where they are')
      this.#again = false
      return false
    }
  }

  #nap(): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#clock.after(POLL_MS, resolve)
      this.#wakeUp = () => {
        cancel()
        resolve()
      }
    })
  }

  #wake(): void {
    this.#again = true
    this.#wakeUp()
  }
}
