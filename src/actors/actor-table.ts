/** The actors in memory, by type and id: found by each command, so without making a text of the two. */
import type { ActorRef } from '../core/ids.ts'
import type { Actor } from './actor.ts'

export class ActorTable {
  readonly #byType = new Map<string, Map<number, Actor>>()

  get({ type, id }: Pick<ActorRef, 'type'> & { readonly id: number }): Actor | undefined {
    return this.#byType.get(type)?.get(id)
  }

  add(actor: Actor): void {
    const { type, id } = actor.ref
    const known = this.#byType.get(type)
    if (known === undefined) this.#byType.set(type, new Map([[id, actor]]))
    else known.set(id, actor)
  }

  delete({ type, id }: ActorRef): void {
    this.#byType.get(type)?.delete(id)
  }

  clear(): void {
    this.#byType.clear()
  }

  *[Symbol.iterator](): Iterator<Actor> {
    for (const actors of this.#byType.values()) yield* actors.values()
  }
}
