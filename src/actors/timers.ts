/** Fires durable timers: due events are sent once, unfinished effects run again, on whichever node looks first. */
import { faultPoint } from '#fault-point'
import { formatActorRef } from '../core/ids.ts'
import type { Clock, DueTimer, EventStore, Logger } from '../core/ports.ts'
import type { OutgoingEvent } from '../machines/define.ts'

/** Timers set by other nodes are found at the latest after this long. */
const LOOK_AT_LEAST_EVERY_MS = 1_000
/** A node that took a timer and vanished keeps it from the others for this long. */
const HOLD_MS = 30_000
const BATCH = 200

export interface TimerPorts {
  readonly store: EventStore
  readonly clock: Clock
  readonly log: Logger
  /** Sends a due event; resolves when it was taken or refused. */
  fire(timer: DueTimer, event: OutgoingEvent, commandId: string): Promise<void>
  startEffect(timer: DueTimer): void
}

export class TimerService {
  readonly #ports: TimerPorts
  #cancel: (() => void) | undefined
  #plannedAt = Number.POSITIVE_INFINITY
  #looking: Promise<void> | undefined
  #running = false

  constructor(ports: TimerPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#running = true
    this.#plan(0)
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#cancel?.()
    await this.#looking
  }

  /** A timer was set here: look no later than when it is due. */
  expect(dueAt: string): void {
    const due = Date.parse(dueAt)
    if (due < this.#plannedAt) this.#plan(Math.max(0, due - this.#ports.clock.now()))
  }

  #plan(ms: number): void {
    if (!this.#running || this.#looking !== undefined) return
    this.#cancel?.()
    this.#plannedAt = this.#ports.clock.now() + ms
    this.#cancel = this.#ports.clock.after(ms, () => {
      this.#looking = this.#look().then(next => {
        this.#looking = undefined
        this.#plan(next)
      })
    })
  }

  /** Takes and fires what is due; answers how long to wait before the next look. */
  async #look(): Promise<number> {
    const { store, clock, log } = this.#ports
    try {
      const due = await store.takeDueTimers(new Date(clock.now()).toISOString(), BATCH, HOLD_MS)
      await Promise.all(due.map(timer => this.#fire(timer)))
      if (due.length === BATCH) return 0
      const next = await store.nextTimerAt()
      const wait = next === undefined ? LOOK_AT_LEAST_EVERY_MS : Date.parse(next) - clock.now()
      return Math.min(LOOK_AT_LEAST_EVERY_MS, Math.max(10, wait))
    } catch (error) {
      log.warn({ error: String(error) }, 'timers could not be read; they are tried again')
      return LOOK_AT_LEAST_EVERY_MS
    }
  }

  async #fire(timer: DueTimer): Promise<void> {
    const { store, log } = this.#ports
    try {
      if (timer.kind === 'effect') return this.#ports.startEffect(timer)
      faultPoint('timer.before-firing')
      await this.#ports.fire(
        timer,
        timer.payload as OutgoingEvent,
        `timer:${formatActorRef(timer.actor)}:${timer.name}:${timer.dueAt}`,
      )
      faultPoint('timer.before-settling')
      // The event's own transition has usually removed or moved it already; then this changes nothing.
      await store.settleTimer(timer)
    } catch (error) {
      log.warn(
        { actor: formatActorRef(timer.actor), timer: timer.name, error: String(error) },
        'due event could not be sent; it is tried again',
      )
    }
  }
}
