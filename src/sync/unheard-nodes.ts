/** Finds out which other nodes work on the log of a node that has no way to hear them. */
import type { Clock, Logger, Service } from '../core/ports.ts'
import { createRepeatedWork } from '../core/repeated-work.ts'

const LOOK_MS = 10_000

export interface UnheardNodes extends Service {
  /** As of the last look. */
  names(): readonly string[]
}

export interface UnheardNodesOptions {
  /** Names of other nodes of the log that are alive. */
  readonly others: () => Promise<readonly string[]>
  readonly clock: Clock
  readonly log: Logger
}

export function createUnheardNodes({ others, clock, log }: UnheardNodesOptions): UnheardNodes {
  let known: readonly string[] = []
  const look = async () => {
    // While the log cannot be asked, what it said last stands.
    const found = await others().catch(() => known)
    if (found.length > 0 && known.length === 0)
      log.warn({ nodes: found }, 'Other nodes work on this log, and this one has no REDIS_URL to hear them by.')
    known = found
  }
  const looks = createRepeatedWork(clock, LOOK_MS, look)
  return {
    names: () => known,
    start: async () => {
      await look()
      looks.start()
    },
    stop: () => looks.stop(),
  }
}
