/** Seals what is in the log and not yet sealed, range by range. */
import { AppError } from '../core/errors.ts'
import type { Clock, SealedLog } from '../core/ports.ts'
import type { SealSummary, SealTip, StoredEvent } from '../core/seal.ts'
import { createSeal, MAX_DISTANCE, summary } from './digest.ts'

/** Events in a seal at the most. Small, because a range is what an exported seal can name. */
export const RANGE = 1_000

export interface SealLogOptions {
  readonly log: SealedLog
  readonly clock: Clock
  /** Called after each seal; answers whether to go on. */
  readonly onSeal?: (seal: SealSummary) => Promise<boolean>
}

/**
 * Seals up to the head and answers what it sealed. Positions become visible in order, so nothing can appear later within
 * a range that was sealed. Others may seal at the same time: a number is taken once.
 * Throws AppError `audit_broken` where the log ends before its last seal.
 */
export async function sealLog({
  log,
  clock,
  onSeal = async () => true,
}: SealLogOptions): Promise<{ seals: number; events: number }> {
  const done = { seals: 0, events: 0 }
  let tip = await log.lastSeal()
  await refuseShorter(log, tip)
  for (;;) {
    const page = await log.stored(tip?.last ?? 0, RANGE)
    const events = withinReach(page)
    if (events.length === 0) return done
    const seal = createSeal(tip, events, new Date(clock.now()).toISOString())
    if (await log.addSeal(seal)) {
      tip = seal
      done.seals++
      done.events += seal.events
      if (!(await onSeal(summary(seal)))) return done
    } else tip = await log.lastSeal()
    // A short page was the head. What came since is the next run's.
    if (page.length < RANGE && events.length === page.length) return done
  }
}

/** A log that lost its end is not sealed over: the seals of what is gone are the proof. */
async function refuseShorter(log: SealedLog, tip: SealTip | undefined): Promise<void> {
  const head = await log.head()
  if (tip === undefined || head >= tip.last) return
  throw new AppError(
    'audit_broken',
    `The log ends at position ${head}, but seal ${tip.number} covers it up to ${tip.last}. Nothing was sealed. Run: rootstream audit verify`,
  )
}

function withinReach(page: readonly StoredEvent[]): readonly StoredEvent[] {
  const limit = Number(page[0]?.[0] ?? 0) + MAX_DISTANCE
  return Number(page.at(-1)?.[0] ?? 0) <= limit ? page : page.filter(([position]) => Number(position) <= limit)
}
