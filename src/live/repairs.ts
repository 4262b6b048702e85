/** Finds by digests what nodes do not have in common, and says who sends what of it. */
import { differing } from './digest.ts'
import { lowest, type Members } from './members.ts'
import { type Delta, deltaOf } from './message.ts'
import type { Replica } from './replica.ts'

/** A node is answered at most so often: what it lacks comes in one go. */
export const ANSWER_MS = 5_000

export interface Repairs {
  /** What to send to a node with this digest; undefined where it is the same, or the node was answered just now. */
  answer(asking: string, digest: readonly number[], now: number): Iterable<Delta> | undefined
  forget(writer: string): void
}

export function createRepairs(self: string, replica: Replica, members: Members): Repairs {
  const answered = new Map<string, number>()
  return {
    answer(asking, digest, now) {
      const last = answered.get(asking)
      if (!members.isAlive(asking) || (last !== undefined && now - last < ANSWER_MS)) return undefined
      const different = differing(replica.digest(), digest)
      if (different.size === 0) return undefined
      answered.set(asking, now)
      // Each sends what it wrote itself; one of them, and all where that one asks, everything.
      const others = [...members.alive].filter(writer => writer !== asking)
      const everything = asking === lowest(members.alive) || lowest(others) === self
      return [...replica.documents(different)].flatMap(document => {
        const entries = everything ? document.entries() : document.entries(self)
        return entries.length === 0 ? [] : [deltaOf(document, entries)]
      })
    },
    forget: writer => void answered.delete(writer),
  }
}
