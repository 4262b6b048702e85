/** Tells the log of live figures, once an interval and actor, whichever nodes try. */
import { isErrorCode } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { Bus, Clock, Logger } from '../core/ports.ts'
import type { OutgoingEvent } from '../machines/define.ts'
import type { LiveStateOptions } from './api.ts'
import { fnv } from './digest.ts'
import type { LiveDocument } from './document.ts'
import { createFlushes } from './flushes.ts'
import { lowest, type Members } from './members.ts'
import { presentDocument, type Replica, type Subject } from './replica.ts'

/** Events that are begun in a tick. */
const FLUSHES = 1_000
/** After this many intervals without an event another node than the one in charge tells the log. */
const OVERDUE = 3

export interface FlusherOptions {
  /** `node#incarnation`. */
  readonly self: string
  readonly bus: Bus
  /** What nodes share, for the intervals that events are named by. */
  readonly clock: Clock
  /** Milliseconds, for intervals of this node. */
  readonly time: () => number
  readonly log: Logger
  readonly replica: Replica
  readonly members: Members
  readonly send: LiveStateOptions['send']
  readonly isLogAway?: LiveStateOptions['isLogAway']
  readonly flushed: () => void
  /** The actor takes no such event: it may be in another time. */
  readonly refused: (subject: Subject) => void
}

export class Flusher {
  readonly #options: FlusherOptions
  readonly #flushes = createFlushes()
  /** Documents that may have something to tell. */
  readonly #changed = new Set<LiveDocument>()
  readonly #under = new Map<LiveDocument, number>()
  readonly #running = new Set<Promise<void>>()
  #shared = { at: 0, as: 0 }

  constructor(options: FlusherOptions) {
    this.#options = options
    this.#shared.at = options.time()
  }

  changed(document: LiveDocument): void {
    this.#changed.add(document)
  }

  /** The log has this event of the actor. */
  told(document: LiveDocument, event: LogEvent): void {
    if (document.definition.flush[event.type] !== undefined) this.#flushes.told(document, event, this.#options.time())
  }

  due(document: LiveDocument): readonly OutgoingEvent[] {
    return this.#flushes.due(document, this.#options.members.isAlive)
  }

  /** What there is of it need not be held: the log has all of it. */
  isAtRest({ definition, period, documents }: Subject): boolean {
    if (definition.isAtRest === undefined || typeof period !== 'string') return false
    const { clock, members } = this.#options
    const document = documents.get(period)
    if (document === undefined) return true
    return definition.isAtRest(document.values(members.isAlive), clock.now()) && this.due(document).length === 0
  }

  tick(): void {
    this.#flush(FLUSHES, false)
  }

  /** Tells all that is due and resolves when the log has answered. */
  async stop(): Promise<void> {
    this.#flush(Number.POSITIVE_INFINITY, true)
    await Promise.all(this.#running)
  }

  #flush(limit: number, last: boolean): void {
    const { bus, time, replica, isLogAway } = this.#options
    // The newest will do when it is back. The journal has room for what would be lost, not for samples.
    if (!last && isLogAway?.() === true) return
    const now = time()
    let begun = 0
    for (const document of this.#changed) {
      const subject = replica.find(document.type, document.id)
      if (subject?.documents.get(document.period) !== document) {
        this.#changed.delete(document)
        continue
      }
      const { flushMs, flushAlone } = document.definition
      // A node that does not hear the others knows only its own part of each sum.
      if (!bus.hearsAll && flushAlone !== true) continue
      const age = this.#flushes.age(document, now)
      if (presentDocument(subject) !== document || this.#under.has(document) || (!last && age < flushMs)) continue
      const [event, ...more] = this.due(document)
      if (event === undefined) this.#changed.delete(document)
      else if (this.#isInCharge(document) || age >= OVERDUE * flushMs) {
        if (begun++ >= limit) return
        if (!last) this.#send(subject, document, event, String(Math.floor(this.#sharedTime() / flushMs)), true)
        else for (const each of [event, ...more]) this.#send(subject, document, each, this.#atTheEnd(each.type), false)
      }
    }
  }

  /** The clock's, but where that is set back: the log has had the intervals that it would name again. */
  #sharedTime(): number {
    const { clock, time } = this.#options
    const at = time()
    this.#shared = { at, as: Math.max(clock.now(), this.#shared.as + at - this.#shared.at) }
    return this.#shared.as
  }

  /** A command id takes no other letters than these, and the node's name may have some. */
  #atTheEnd(eventType: string): string {
    return `end:${(fnv(this.#options.self) >>> 0).toString(16)}:${eventType}`
  }

  #isInCharge(document: LiveDocument): boolean {
    const { members, self } = this.#options
    const writers = [...document.writers()].filter(writer => members.isAlive(writer))
    return lowest(writers.length > 0 ? writers : members.alive) === self
  }

  /**
   * @param occasion with the actor and its time it makes the command id: whichever nodes try, the log takes one event
   * @param logOnly not journaled where the log is found to be away
   */
  #send(subject: Subject, document: LiveDocument, event: OutgoingEvent, occasion: string, logOnly: boolean): void {
    const { time, log, send, flushed, refused } = this.#options
    const actor = { type: subject.type, id: subject.id } as ActorRef
    const now = time()
    const commandId = `live:${formatActorRef(actor)}:${document.period}:${occasion}`
    this.#under.set(document, (this.#under.get(document) ?? 0) + 1)
    const sent = send(actor, event, { commandId, logOnly }).then(
      result => {
        if (!result.ok) return refused(subject)
        this.#flushes.told(document, event, now)
        if (!result.repeated) flushed()
      },
      error => {
        // Another node told the log in this interval.
        if (isErrorCode(error, 'command_id_reused')) return this.#flushes.told(document, undefined, now)
        log.debug({ actor: formatActorRef(actor), error: String(error) }, 'live figures not in the log yet')
      },
    )
    const running: Promise<void> = sent.finally(() => {
      this.#running.delete(running)
      const left = (this.#under.get(document) ?? 1) - 1
      if (left === 0) this.#under.delete(document)
      else this.#under.set(document, left)
    })
    this.#running.add(running)
  }
}
