/** How an actor is read: from memory where that is certain enough, else from the log, with what was accepted beside it on top. */
import { isErrorCode } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import { sealedPart } from '../core/personal.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import { fold } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { type Freshness, refuseGrant } from './freshness.ts'
import { catchUp, type Loaded, load } from './load.ts'
import type { Overlay } from './overlay.ts'
import type { ActorPorts } from './ports.ts'

/** An actor's state in memory, which commands move and reads bring up to date. */
export interface Copy {
  loaded: Loaded | undefined
  readonly freshness: Freshness
}

/** What else the actor is doing: the actor itself, for closures would cost each of many thousands some of its memory. */
interface Host {
  /** Whether no command is under way. */
  readonly idle: boolean
  /** Commands of this node that are not in the log yet. */
  readonly entries: readonly JournalEntry[]
  /** Resolves when they are. Throws AppError `log_unavailable`. */
  drain(): Promise<void>
}

export class Reads {
  readonly #entity: EntityDefinition
  readonly #ref: ActorRef
  readonly #ports: ActorPorts
  readonly #overlay: Overlay
  readonly #copy: Copy
  readonly #host: Host
  /** A read that is under way, whatever comes of it. */
  #reading: Promise<void> | undefined

  constructor(entity: EntityDefinition, ref: ActorRef, ports: ActorPorts, overlay: Overlay, copy: Copy, host: Host) {
    this.#entity = entity
    this.#ref = ref
    this.#ports = ports
    this.#overlay = overlay
    this.#copy = copy
    this.#host = host
  }

  /**
   * The newest state: what is in memory, brought up to the log; or as it is, where it is certain to be no older than asked.
   * With what was accepted beside the log on top, here and elsewhere; while the log is away, on what is in memory.
   * Throws AppError `log_unavailable`.
   */
  async current(maxStaleMs: number, logged: boolean): Promise<Loaded> {
    if (maxStaleMs > 0 && !logged) {
      // Those who ask while another reads the log may find their answer in memory afterwards.
      if (
        this.#reading !== undefined &&
        this.#ports.link.reading !== undefined &&
        this.recall(maxStaleMs) === undefined
      )
        await this.#reading
      const recalled = this.recall(maxStaleMs)
      if (recalled !== undefined) return recalled
    }
    const read = this.#read(maxStaleMs, logged)
    const reading: Promise<void> = read.then(
      () => undefined,
      () => undefined,
    )
    this.#reading = reading
    try {
      return await read
    } finally {
      if (this.#reading === reading) this.#reading = undefined
    }
  }

  /** What memory holds, where it is certain to be no older than asked, and nothing is known beside it. */
  recall(maxStaleMs: number): Loaded | undefined {
    const { clock, outage, link } = this.#ports
    const { loaded, freshness } = this.#copy
    if (loaded === undefined || outage?.away === true || this.#isShown) return undefined
    const isTrusted = freshness.allows(loaded.version, clock.now(), maxStaleMs, link.reading)
    return isTrusted && !this.#overlay.isBehind(loaded.version) ? loaded : undefined
  }

  async #read(maxStaleMs: number, logged: boolean): Promise<Loaded> {
    const { clock, outage, link } = this.#ports
    const asked = clock.now()
    const known = this.#copy.loaded
    try {
      const isAway = outage?.away === true && !logged
      if (isAway && known !== undefined && this.#isShown) return this.#withoutLog(known, asked, maxStaleMs)
      if (this.#host.entries.length > 0) await this.#host.drain()
      const { reading } = link
      const { loaded, freshness } = this.#copy
      const isTrusted = loaded !== undefined && freshness.allows(loaded.version, asked, maxStaleMs, reading)
      if (isTrusted && !this.#overlay.isBehind(loaded.version)) return logged ? loaded : this.#shown(loaded)
      const over = this.#overlay.over()
      const fresh =
        loaded === undefined
          ? await load(this.#ports, this.#entity, this.#ref)
          : await catchUp(this.#ports, this.#entity, this.#ref, loaded)
      this.#overlay.release(over)
      // The mailbox may have moved on meanwhile; the state never goes back.
      if (this.#host.idle && fresh.version >= (this.#copy.loaded?.version ?? 0)) {
        this.#copy.loaded = fresh
        freshness.known(asked, reading)
      }
      if (logged || !(this.#isShown || this.#overlay.isBehind(fresh.version))) return fresh
      await this.#overlay.read(fresh, this.#host.entries)
      return this.#shown(fresh)
    } catch (error) {
      const { loaded } = this.#copy
      if (logged || !isErrorCode(error, 'log_unavailable') || loaded === undefined || !this.#isShown) throw error
      outage?.fell()
      return this.#withoutLog(loaded, asked, maxStaleMs)
    }
  }

  /** An event of another node, opened where its key was at hand. Anything but the next version is left to the log. */
  hear(event: LogEvent): void {
    const { loaded, freshness } = this.#copy
    freshness.heard(event.version)
    // The key is not at hand. The copy is behind and stays, and the next read opens the event with what else it lacks.
    if (sealedPart(event.data) !== undefined) return
    this.#overlay.heard(event, this.#host.entries.length)
    if (!this.#host.idle || loaded === undefined || event.version !== loaded.version + 1) return
    try {
      const clock = event.origin?.clock ?? loaded.clock
      const state = fold(this.#entity, loaded.state, event)
      this.#copy.loaded = { version: event.version, state, at: event.at, clock }
    } catch {
      // A newer node may write what this code cannot fold: forget the copy; the next use loads it and tells the user.
      this.#copy.loaded = undefined
    }
  }

  /** Whether there is anything beside the log to be shown. */
  get #isShown(): boolean {
    return this.#host.entries.length + this.#overlay.others.length > 0
  }

  #shown(base: Loaded): Loaded {
    return this.#overlay.on(base, this.#host.entries)
  }

  /** Throws AppError `log_unavailable` where the state permits something, and is older than asked. */
  #withoutLog(base: Loaded, asked: number, maxStaleMs: number): Loaded {
    const shown = this.#shown(base)
    const isYoung = this.#copy.freshness.allows(base.version, asked, maxStaleMs, this.#ports.link.reading)
    if (!isYoung) refuseGrant(this.#entity, this.#ref, shown)
    return shown
  }
}
