/** Hands out ids from blocks that were reserved for this node: a round trip for a hundred ids. */
const BLOCK = 100

interface Block {
  next: number
  readonly end: number
}

export class IdBlocks {
  readonly #reserve: (actorType: string, size: number) => Promise<number>
  readonly #blocks = new Map<string, Promise<Block>>()

  /** @param reserve answers the first id of a block that nobody else gets */
  constructor(reserve: (actorType: string, size: number) => Promise<number>) {
    this.#reserve = reserve
  }

  async next(actorType: string): Promise<number> {
    for (;;) {
      let reserved = this.#blocks.get(actorType)
      if (reserved === undefined) {
        reserved = this.#reserve(actorType, BLOCK).then(first => ({ next: first, end: first + BLOCK }))
        this.#blocks.set(actorType, reserved)
        reserved.catch(() => this.#blocks.delete(actorType))
      }
      const block = await reserved
      // Given up while we waited for it: its ids may be somebody else's by now.
      if (this.#blocks.get(actorType) !== reserved) continue
      if (block.next < block.end) return block.next++
      this.#blocks.delete(actorType)
    }
  }

  /** Gives up what is left of the block. */
  forget(actorType: string): void {
    this.#blocks.delete(actorType)
  }
}
