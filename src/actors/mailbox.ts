/** Commands that wait for an actor. They stay until answered, so that a restart of the actor loses none. */
import type { CommandResult } from '../core/result.ts'
import type { Command } from './command.ts'

export interface Waiting {
  readonly command: Command
  resolve(result: CommandResult): void
  reject(error: unknown): void
}

/** Commands one append carries at the most; more of them wait for the next. */
const BATCH = 64

export class Mailbox {
  readonly #waiting: Waiting[] = []

  get length(): number {
    return this.#waiting.length
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting)
  }

  /** The commands at the head that can share an append: no command id twice. */
  batch(): readonly Waiting[] {
    if (this.#waiting.length === 1) return this.#waiting.slice()
    const ids = new Set<string>()
    const batch: Waiting[] = []
    for (const waiting of this.#waiting) {
      const id = waiting.command.commandId
      if (batch.length === BATCH || (id !== undefined && ids.has(id))) break
      if (id !== undefined) ids.add(id)
      batch.push(waiting)
    }
    return batch
  }

  /** Removes a command; undefined where it was answered already. */
  take(waiting: Waiting): Waiting | undefined {
    const index = this.#waiting.indexOf(waiting)
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0]
  }

  holds(waiting: Waiting): boolean {
    return this.#waiting.includes(waiting)
  }

  /** Removes commands from the head. */
  drop(count: number): void {
    this.#waiting.splice(0, count)
  }
}

/** Whether the command that comes first is for an actor without events. */
export function isForNew([first]: readonly Waiting[]): boolean {
  return first !== undefined && (first.command.creates || first.command.expectedVersion === 0)
}
