/** Finds by digests, and then by hashes of single actors, what nodes do not have in common, and says who sends what of it. */
import { differing, SHARDS } from './digest.ts'
import { lowest, type Members } from './members.ts'
import {
  type Delta,
  deltaOf,
  encodeDiffers,
  encodeHashes,
  type HashPiece,
  type Message,
  type SubjectHash,
} from './message.ts'
import { hashOf, type Replica, type Subject } from './replica.ts'

/** A node is answered at most so often: what it lacks comes in one go. */
export const ANSWER_MS = 5_000

export interface RepairsOptions {
  /** `node#incarnation`. */
  readonly self: string
  readonly replica: Replica
  readonly members: Members
  readonly say: (json: string) => void
  readonly send: (deltas: Iterable<Delta>) => void
}

export interface Repairs {
  /** Answers what a node says of what it holds. True where its digest differs from ours. */
  heard(from: string, message: Message, now: number): boolean
  forget(writer: string): void
}

/**
 * Y tells its digest. Whoever differs says in which shards. Y tells its hashes there, once for all who differ. They
 * answer with the documents that Y holds otherwise, or not at all.
 */
export function createRepairs({ self, replica, members, say, send }: RepairsOptions): Repairs {
  const differed = new Map<string, number>()
  /** When the hashes of a shard were told last. */
  const toldAt = new Array<number>(SHARDS).fill(Number.NEGATIVE_INFINITY)
  const answered = new Map<string, { readonly since: number; readonly pieces: Set<string> }>()

  const compare = (asking: string, digest: readonly number[], now: number): boolean => {
    const last = differed.get(asking)
    if (last !== undefined && now - last < ANSWER_MS) return false
    const different = differing(replica.digest(), digest)
    if (different.size === 0) return false
    differed.set(asking, now)
    say(encodeDiffers(asking, [...different]))
    return true
  }

  const tell = (shards: readonly number[], now: number) => {
    const wanted = new Set(shards.filter(shard => now - (toldAt[shard] ?? now) >= ANSWER_MS))
    const held = new Map<number, SubjectHash[]>([...wanted].map(shard => [shard, []]))
    for (const shard of wanted) toldAt[shard] = now
    for (const subject of replica.subjectsIn(wanted)) {
      const { type, id, shard } = subject
      held.get(shard)?.push({ type, id, hash: hashOf(subject) })
    }
    for (const hashes of held.values()) hashes.sort((a, b) => a.id - b.id)
    for (const json of encodeHashes(held)) say(json)
  }

  /** Each piece at most once in so long, or a repetition would cost as much as the first. */
  const notAnswered = (asking: string, pieces: readonly HashPiece[], now: number): readonly HashPiece[] => {
    let known = answered.get(asking)
    if (known === undefined || now - known.since >= ANSWER_MS) {
      known = { since: now, pieces: new Set() }
      answered.set(asking, known)
    }
    const { pieces: done } = known
    return pieces.filter(({ shard, after }) => {
      const key = `${shard}:${after}`
      const isNew = !done.has(key)
      done.add(key)
      return isNew
    })
  }

  const answer = (asking: string, all: readonly HashPiece[], now: number) => {
    const pieces = notAnswered(asking, all, now)
    // Each sends what it wrote itself; one of them, and all where that one asks, everything.
    const others = [...members.alive].filter(writer => writer !== asking)
    const everything = asking === lowest(members.alive) || lowest(others) === self
    send(
      differingSubjects(replica, pieces).flatMap(({ documents }) =>
        [...documents.values()].flatMap(document => {
          const entries = everything ? document.entries() : document.entries(self)
          return entries.length === 0 ? [] : [deltaOf(document, entries)]
        }),
      ),
    )
  }

  return {
    heard(from, message, now) {
      if (!members.isAlive(from)) return false
      if (message.kind === 'digest') return compare(from, message.shards, now)
      if (message.kind === 'differs' && message.to === self) tell(message.shards, now)
      if (message.kind === 'hashes') answer(from, message.pieces, now)
      return false
    },
    forget(writer) {
      differed.delete(writer)
      answered.delete(writer)
    },
  }
}

/** Actors within the pieces whose hash is another one than theirs, or that they lack. */
function differingSubjects(replica: Replica, pieces: readonly HashPiece[]): readonly Subject[] {
  const byShard = new Map<number, { readonly piece: HashPiece; readonly hashes: ReadonlyMap<string, number> }[]>()
  for (const piece of pieces) {
    const hashes = new Map(piece.hashes.map(({ type, id, hash }) => [`${type}/${id}`, hash]))
    byShard.set(piece.shard, [...(byShard.get(piece.shard) ?? []), { piece, hashes }])
  }
  return [...replica.subjectsIn(byShard)].filter(subject => {
    const { type, id, shard, documents } = subject
    const within = byShard.get(shard)?.find(({ piece }) => id > piece.after && id <= piece.upTo)
    return within !== undefined && documents.size > 0 && within.hashes.get(`${type}/${id}`) !== hashOf(subject)
  })
}
