/** Writes snapshots beside the commands: they save time, nothing else, and a failure is only logged. */
import { faultPoint } from '#fault-point'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import type { Snapshot } from '../core/state.ts'

export class Snapshots {
  readonly #store: Pick<EventStore, 'saveSnapshot'>
  readonly #log: Logger
  readonly #running = new Set<Promise<void>>()

  constructor(store: Pick<EventStore, 'saveSnapshot'>, log: Logger) {
    this.#store = store
    this.#log = log
  }

  save(actor: ActorRef, snapshot: Snapshot): void {
    faultPoint('snapshot.before-save')
    const saved: Promise<void> = this.#store
      .saveSnapshot(actor, snapshot)
      .catch(error => this.#log.warn({ actor: formatActorRef(actor), error: String(error) }, 'snapshot not saved'))
      .finally(() => this.#running.delete(saved))
    this.#running.add(saved)
  }

  async saved(): Promise<void> {
    await Promise.all(this.#running)
  }
}
