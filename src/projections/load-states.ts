/** Brings actors that are not in the cache to the version before the events at hand, with few statements for many. */
import type { EventStore } from '../core/ports.ts'
import type { PoolClient } from '../eventstore/pool.ts'
import { type FoldedActor, type FoldResult, foldOn, type Touched } from './fold.ts'
import { CHUNK, type Gap, readGaps } from './recorded-events.ts'

export interface Missing extends Pick<Touched, 'key' | 'entity' | 'ref'> {
  /** An older state to go on from. */
  readonly from: FoldedActor | undefined
  /** Version the state shall have. */
  readonly to: number
}

/** Where each got to, by key. */
export async function loadStates(
  client: PoolClient,
  store: EventStore,
  missing: readonly Missing[],
): Promise<ReadonlyMap<string, FoldResult>> {
  const loaded = new Map<string, FoldResult>()
  let batch: Missing[] = []
  let events = 0
  const loadBatch = async () => {
    const found = await readGaps(client, store, batch.map(gapOf))
    for (const [which, { key, entity, ref, from }] of batch.entries())
      loaded.set(key, foldOn(entity, ref, from, found[which] ?? []))
    batch = []
    events = 0
  }
  for (const item of missing) {
    // Versions have no gaps, so their difference is the number of events.
    const length = item.to - (item.from?.version ?? 0)
    if (length > CHUNK) {
      loaded.set(item.key, await loadLong(store, item))
      continue
    }
    if (events + length > CHUNK) await loadBatch()
    batch.push(item)
    events += length
  }
  if (batch.length > 0) await loadBatch()
  return loaded
}

function gapOf({ ref, from, to }: Missing): Gap {
  return { ref, after: from?.version ?? 0, before: to + 1 }
}

/** A stream too long for one answer, in chunks. */
async function loadLong(store: EventStore, { entity, ref, from, to }: Missing): Promise<FoldResult> {
  let result: FoldResult = { actor: from, failure: undefined }
  for await (const chunk of store.readRecorded(ref, { from: (from?.version ?? 0) + 1, to })) {
    result = foldOn(entity, ref, result.actor, chunk)
    if (result.failure !== undefined) break
  }
  return result
}
