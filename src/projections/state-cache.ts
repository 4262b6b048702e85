/** States of recently touched actors: what the next page starts from instead of their whole history. */
import type { FoldedActor } from './fold.ts'

/** Bounded by count; what was touched longest ago leaves first. */
export class StateCache {
  // A map keeps the order of insertion, so the first key is the one touched longest ago.
  readonly #states = new Map<string, FoldedActor>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#states.size
  }

  get(key: string): FoldedActor | undefined {
    return this.#states.get(key)
  }

  set(key: string, actor: FoldedActor): void {
    this.#states.delete(key)
    this.#states.set(key, actor)
    if (this.#states.size <= this.#capacity) return
    const { value, done } = this.#states.keys().next()
    if (!done) this.#states.delete(value)
  }

  delete(key: string): void {
    this.#states.delete(key)
  }
}
