/** The keys of users at hand: read and made in batches, kept for a while, forgotten at once where a user is erased. */

import type { KeyObject } from 'node:crypto'
import { asKey, newKey } from '../cipher.ts'
import { chunksOf } from '../core/chunks.ts'
import type { PersonalKeyTable } from '../core/personal.ts'
import type { Clock } from '../core/ports.ts'

/** What keys are sealed by in the table: a key ring. */
export interface Wrapping {
  seal(text: string, context: string): string
  /** Throws AppError `corrupt_data` where it was changed or its key is missing. */
  open(sealed: string, context: string): string
  isStale(sealed: string): boolean
}

/** A node that was not told of an erasure forgets the key after this long by itself. */
const KEPT_MS = 60_000
const MOST_KEPT = 50_000
const AT_ONCE = 1_000

interface Kept {
  /** Null where it was destroyed, which stays so. */
  readonly key: KeyObject | null
  readonly readAt: number
}

/** Which users are asked for, and whether those without a key get one. */
interface Asked {
  readonly users: Set<number>
  readonly found: Promise<ReadonlyMap<number, KeyObject | null>>
}

export class PersonalKeys {
  readonly #table: PersonalKeyTable
  readonly #clock: Clock
  readonly #wrapping: Wrapping
  // A map keeps the order of insertion: the first is the one read longest ago.
  readonly #kept = new Map<number, Kept>()
  #reading: Asked | undefined
  #making: Asked | undefined

  constructor(options: { table: PersonalKeyTable; clock: Clock; wrapping: Wrapping }) {
    this.#table = options.table
    this.#clock = options.clock
    this.#wrapping = options.wrapping
  }

  /** Null where it was destroyed; undefined where it has to be asked for first. */
  peek(user: number): KeyObject | null | undefined {
    const kept = this.#kept.get(user)
    if (kept === undefined) return undefined
    const age = this.#clock.now() - kept.readAt
    return kept.key === null || (age >= 0 && age < KEPT_MS) ? kept.key : undefined
  }

  /** The keys of these users, null where one was destroyed; users who never had one are left out. */
  read(users: ReadonlySet<number>): Promise<ReadonlyMap<number, KeyObject | null>> {
    return this.#get(users, () => {
      this.#reading ??= this.#soon(
        () => {
          this.#reading = undefined
        },
        asked => this.#table.read(asked),
      )
      return this.#reading
    })
  }

  /** The key of a user, who gets one where there was none; null where it was destroyed. */
  async make(user: number): Promise<KeyObject | null> {
    const made = await this.#get(new Set([user]), () => {
      this.#making ??= this.#soon(
        () => {
          this.#making = undefined
        },
        asked => this.#add(asked),
      )
      return this.#making
    })
    const key = made.get(user)
    if (key === undefined) throw new Error(`no key was made for user ${user}`)
    return key
  }

  /** For good, on all nodes: on this one at once, on those that hear of it as soon, on any other within a minute. */
  async destroy(user: number): Promise<void> {
    await this.#table.destroy(user)
    this.destroyed(user)
  }

  /** Another node did. */
  destroyed(user: number): void {
    this.#keep(user, null)
  }

  /** How many are wrapped under each key of the ring. */
  uses(): Promise<ReadonlyMap<string, number>> {
    return this.#table.uses()
  }

  /** Wraps what is not under the newest key of the ring anew; may be interrupted and run again. Answers how many were. */
  async reseal(onProgress: (resealed: number) => void): Promise<number> {
    let resealed = 0
    for (let after = 0; ; ) {
      const page = await this.#table.page(after, AT_ONCE)
      const changes = page
        .filter(([, wrapped]) => this.#wrapping.isStale(wrapped))
        .map(([user, from]) => ({ user, from, to: this.#wrap(user, this.#unwrap(user, from)) }))
      if (changes.length > 0) resealed += await this.#table.replace(changes)
      onProgress(resealed)
      if (page.length < AT_ONCE) return resealed
      after = page.at(-1)?.[0] ?? after
    }
  }

  async #get(users: ReadonlySet<number>, ask: () => Asked): Promise<ReadonlyMap<number, KeyObject | null>> {
    const found = new Map<number, KeyObject | null>()
    const missing: number[] = []
    for (const user of users) {
      const key = this.peek(user)
      if (key === undefined) missing.push(user)
      else found.set(user, key)
    }
    const waiting = new Set<Asked>()
    for (const user of missing) {
      const asked = ask()
      asked.users.add(user)
      waiting.add(asked)
    }
    for (const answers of await Promise.all([...waiting].map(asked => asked.found)))
      for (const user of missing) {
        const key = answers.get(user)
        if (key !== undefined) found.set(user, key)
      }
    return found
  }

  /** Everything that is asked for in this turn of the event loop shares a statement. */
  #soon(closed: () => void, look: (users: readonly number[]) => Promise<ReadonlyMap<number, string | null>>): Asked {
    const users = new Set<number>()
    const found = (async () => {
      await new Promise<void>(turn => setImmediate(turn))
      closed()
      const keys = new Map<number, KeyObject | null>()
      for (const some of chunksOf([...users], AT_ONCE))
        for (const [user, wrapped] of await look(some))
          keys.set(user, this.#keep(user, wrapped === null ? null : asKey(this.#unwrap(user, wrapped))))
      return keys
    })()
    return { users, found }
  }

  #add(users: readonly number[]): Promise<ReadonlyMap<number, string | null>> {
    return this.#table.add(new Map(users.map(user => [user, this.#wrap(user, newKey())])))
  }

  /** Answers what is kept: what was read before it was destroyed may arrive after. */
  #keep(user: number, key: KeyObject | null): KeyObject | null {
    if (key !== null && this.#kept.get(user)?.key === null) return null
    this.#kept.delete(user)
    this.#kept.set(user, { key, readAt: this.#clock.now() })
    const [oldest] = this.#kept.size > MOST_KEPT ? this.#kept.keys().take(1) : []
    if (oldest !== undefined) this.#kept.delete(oldest)
    return key
  }

  #wrap(user: number, key: Buffer): string {
    return this.#wrapping.seal(key.toString('base64url'), contextOf(user))
  }

  #unwrap(user: number, wrapped: string): Buffer {
    return Buffer.from(this.#wrapping.open(wrapped, contextOf(user)), 'base64url')
  }
}

function contextOf(user: number): string {
  return `personal-key/${user}`
}
