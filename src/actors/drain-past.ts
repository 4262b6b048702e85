/** What the log has of one actor after the bases of its journal's entries, read once for all of them. */
import type { ActorRef } from '../core/ids.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import type { EntityDefinition } from '../machines/define.ts'
import type { OffsideEvent } from '../merge/merge-event.ts'
import { besideOf, type KnownEvent } from '../merge/rebase.ts'
import { loggedEvent, pendingEvent } from './logged-event.ts'
import type { ActorPorts } from './ports.ts'

export class DrainPast {
  readonly #entity: EntityDefinition
  readonly #ref: ActorRef
  readonly #ports: ActorPorts
  /** Versions that hold entries before the next one: whoever accepted that knew them. */
  readonly #own = new Set<number>()
  /** Those of others, in order. */
  #others: KnownEvent[] = []
  #from = Number.POSITIVE_INFINITY
  /** Up to here the log was read, or written by us. */
  #upTo = 0

  constructor(entity: EntityDefinition, ref: ActorRef, ports: ActorPorts) {
    this.#entity = entity
    this.#ref = ref
    this.#ports = ports
  }

  /** Whether everything is known that lies between the basis and this version. */
  covers({ basis }: JournalEntry, version: number): boolean {
    return this.#from <= basis && this.#upTo === version
  }

  /** A version of the log that holds an entry. */
  holds(version: number): void {
    this.#own.add(version)
    if (version === this.#upTo + 1) this.#upTo = version
  }

  /** Reads what was not read yet. Throws AppError `log_unavailable`. */
  async read({ basis }: JournalEntry): Promise<void> {
    if (basis < this.#from) {
      this.#from = basis
      this.#upTo = basis
      this.#others = []
    }
    for await (const events of this.#ports.store.readStream(this.#ref, { from: this.#upTo + 1 }))
      for (const event of events) {
        if (!this.#own.has(event.version)) this.#others.push(loggedEvent(this.#entity, event))
        this.#upTo = event.version
      }
  }

  beside(entry: JournalEntry): readonly OffsideEvent[] {
    const others = this.#others.filter(({ version }) => !this.#own.has(version))
    return besideOf(pendingEvent(this.#entity, entry), others)
  }
}
