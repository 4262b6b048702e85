/** All live documents a node knows, by actor and period, within bounds. */
import type { LiveDefinition } from '../machines/live-fields.ts'
import { SHARDS, shardOf } from './digest.ts'
import { type Entry, LiveDocument } from './document.ts'

/** Times of one actor that are kept at once, while it is not known which is the present one. */
const MAX_PERIODS = 4

/** An actor with live figures. */
export interface Subject {
  readonly type: string
  readonly id: number
  readonly shard: number
  readonly definition: LiveDefinition
  readonly documents: Map<string, LiveDocument>
  /** The time it is in, null where there is none now, undefined where the log has not been asked. */
  period: string | null | undefined
  /** When it was last asked of the log, and last changed; milliseconds. */
  askedAt: number
  changedAt: number
}

export class Replica {
  readonly #definitions: ReadonlyMap<string, LiveDefinition>
  readonly #limit: number
  readonly #subjects = new Map<string, Map<number, Subject>>()
  #size = 0

  constructor(definitions: ReadonlyMap<string, LiveDefinition>, limit: number) {
    this.#definitions = definitions
    this.#limit = limit
  }

  /** Actors that are held. */
  get size(): number {
    return this.#size
  }

  find(type: string, id: number): Subject | undefined {
    return this.#subjects.get(type)?.get(id)
  }

  /** Found or made; undefined where the type has no live figures or there is no room. */
  subject(type: string, id: number, now: number): Subject | undefined {
    const known = this.find(type, id)
    if (known !== undefined) return known
    const definition = this.#definitions.get(type)
    if (definition === undefined || this.#size >= this.#limit) return undefined
    const subject = {
      ...{ type, id, shard: shardOf(type, id), definition, documents: new Map<string, LiveDocument>() },
      ...{ period: undefined, askedAt: 0, changedAt: now },
    }
    let ofType = this.#subjects.get(type)
    if (ofType === undefined) {
      ofType = new Map()
      this.#subjects.set(type, ofType)
    }
    ofType.set(id, subject)
    this.#size++
    return subject
  }

  /** Whether an actor that is not held need not be, for what is said of it here. */
  isDispensable(type: string, id: number, said: readonly Entry[], now: number): boolean {
    const definition = this.#definitions.get(type)
    if (definition?.isAtRest === undefined || this.find(type, id) !== undefined) return false
    return definition.isAtRest(Object.fromEntries(said.map(({ field, value }) => [field, value])), now)
  }

  /** The document of one time; undefined where that is known to be over, or there is no room. */
  document(subject: Subject, period: string): LiveDocument | undefined {
    const known = subject.documents.get(period)
    if (known !== undefined) return known
    if (subject.period !== undefined && subject.period !== period) return undefined
    if (subject.documents.size >= MAX_PERIODS) return undefined
    const document = new LiveDocument(subject.type, subject.id, period, subject.definition)
    subject.documents.set(period, document)
    return document
  }

  forget(subject: Subject): void {
    if (this.#subjects.get(subject.type)?.delete(subject.id) === true) this.#size--
  }

  *subjects(): Generator<Subject> {
    for (const ofType of this.#subjects.values()) yield* ofType.values()
  }

  *subjectsIn(shards: { has(shard: number): boolean }): Generator<Subject> {
    for (const subject of this.subjects()) if (shards.has(subject.shard)) yield subject
  }

  /** One hash a shard, over all documents in it. */
  digest(): readonly number[] {
    const digest = new Array<number>(SHARDS).fill(0)
    for (const subject of this.subjects()) digest[subject.shard] = (digest[subject.shard] ?? 0) ^ hashOf(subject)
    return digest
  }

  *documents(): Generator<LiveDocument> {
    for (const { documents } of this.subjects()) yield* documents.values()
  }
}

/** Equal where all documents of the actor are; 0 where there are none. */
export function hashOf({ documents }: Subject): number {
  let hash = 0
  for (const document of documents.values()) hash ^= document.hash
  return hash
}

/** Of the present time, or of the only one that was heard of while the log has not been asked. */
export function presentDocument({ period, documents }: Subject): LiveDocument | undefined {
  if (period !== undefined) return period === null ? undefined : documents.get(period)
  if (documents.size !== 1) return undefined
  for (const document of documents.values()) return document
  return undefined
}
