/** The register of starts in memory, with the promises of the one in Postgres. */
import type { Origin } from '../core/event.ts'
import type { Clock } from '../core/ports.ts'
import { CEILING_STEP_MS, type Register, type StartRecord } from '../core/register.ts'
import { sourceOf } from '../core/source.ts'

interface Start {
  readonly node: string
  readonly incarnation: number
  journal: string | null
  ceiling: number | null
  last: number
  aliveUntil: number
  loggedN: number
  sealedN: number | null
}

/** What several nodes of one process share. */
export class MemoryStarts {
  readonly #starts: Start[] = []

  add(node: string): number {
    const incarnation = this.#starts.length + 1
    const none = { journal: null, ceiling: null, last: 0, aliveUntil: 0, loggedN: 0, sealedN: null }
    this.#starts.push({ node, incarnation, ...none })
    return incarnation
  }

  /** The sealed start beyond whose last number the dot lies. */
  sealedBefore(origin: Origin): string | undefined {
    const start = this.#of(origin)
    return start?.sealedN != null && origin.n > start.sealedN ? sourceOf(start) : undefined
  }

  logged(origin: Origin): void {
    const start = this.#of(origin)
    if (start !== undefined) start.loggedN = Math.max(start.loggedN, origin.n)
  }

  register(clock: Clock, incarnation: number): Register {
    const own = this.#at(incarnation)
    const highest = () => Math.max(0, ...this.#starts.map(({ ceiling }) => ceiling ?? 0))
    return {
      enter: async (journal, { aheadMs, aliveMs }) => {
        const open = this.#starts.flatMap(start =>
          start.node === own.node && start !== own && start.sealedN === null && start.ceiling !== null
            ? [{ ...start, journal: start.journal ?? '', ceiling: start.ceiling }]
            : [],
        )
        const now = clock.now()
        const above = Math.max(0, ...open.map(({ ceiling }) => ceiling)) + CEILING_STEP_MS
        const ceiling = Math.max(own.ceiling ?? 0, now + aheadMs, above, highest())
        Object.assign(own, { journal, ceiling, aliveUntil: now + aliveMs })
        const shown = open.map(({ incarnation: of, journal: its, ceiling: at, last }) => ({
          incarnation: of,
          journal: its,
          ceiling: at,
          last,
        }))
        return { ceiling, now, open: shown }
      },
      renew: async (last, { aheadMs, aliveMs }) => {
        if (own.sealedN !== null) return undefined
        const now = clock.now()
        const ceiling = Math.max(own.ceiling ?? 0, now + aheadMs, highest())
        Object.assign(own, { ceiling, last: Math.max(own.last, last), aliveUntil: now + aliveMs })
        return { ceiling, now }
      },
      leave: async ceiling => {
        if (ceiling !== undefined && own.ceiling !== null) own.ceiling = Math.min(own.ceiling, ceiling)
        own.aliveUntil = clock.now()
      },
      seal: async journal => {
        const over = this.#starts.filter(
          start =>
            start.node === own.node &&
            start.incarnation < own.incarnation &&
            start.sealedN === null &&
            (start.journal === null || start.journal === journal || start.aliveUntil < clock.now()),
        )
        for (const start of over) start.sealedN = start.loggedN
        return over.map(recordOf)
      },
      starts: async incarnations =>
        this.#starts.filter(start => incarnations.includes(start.incarnation)).map(recordOf),
      others: async () => {
        const now = clock.now()
        const alive = this.#starts.filter(start => start.node !== own.node && start.aliveUntil > now)
        return [...new Set(alive.map(({ node }) => node))].sort().slice(0, 100)
      },
    }
  }

  #at(incarnation: number): Start {
    const start = this.#starts[incarnation - 1]
    if (start === undefined) throw new Error(`start ${incarnation} is not on record`)
    return start
  }

  #of({ node, incarnation }: Origin): Start | undefined {
    const start = this.#starts[incarnation - 1]
    return start?.node === node ? start : undefined
  }
}

function recordOf({ node, incarnation, ceiling, sealedN }: Start): StartRecord {
  return { node, incarnation, ceiling, sealedN }
}
