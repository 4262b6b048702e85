/** Folds parked actors anew, from their beginning, and lets those back in that can be projected now. */
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import { type PoolClient, withTransaction } from '../eventstore/pool.ts'
import { lockCheckpoint } from './checkpoints.ts'
import { stranger } from './fold.ts'
import { loadStates, type Missing } from './load-states.ts'
import { Outcome } from './outcome.ts'
import { countParked, parkedAfter, parkedAmong, unpark } from './parked-actors.ts'
import { isViewed } from './read-table.ts'
import { versionsAt } from './recorded-events.ts'
import { enterProjection, type Target } from './target.ts'

/** Actors folded in one transaction. */
const PAGE = 500

/** True where the actor is projected, now or already. */
export async function retryActor(target: Target, actor: ActorRef): Promise<boolean> {
  const chosen = async (client: PoolClient) =>
    (await parkedAmong(client, target.projection, [{ ref: actor }])).size > 0 ? [actor] : []
  return (await retryPage(target, chosen)).failed === 0
}

/**
 * True where no actor is parked any more.
 * @param stopped asked between pages: whether to leave the rest
 */
export async function retryAll(target: Target, stopped: () => boolean = () => false): Promise<boolean> {
  const { pool, projection } = target
  for (let before = await countParked(pool, projection); before > 0; ) {
    let after: ActorRef | undefined
    do after = (await retryPage(target, client => parkedAfter(client, projection, after, PAGE))).last
    while (after !== undefined && !stopped())
    const left = await countParked(pool, projection)
    if (left >= before || stopped()) return left === 0
    // Some were let in: others may only have waited for a name that one of them gave up.
    before = left
  }
  return true
}

async function retryPage(
  target: Target,
  choose: (client: PoolClient) => Promise<readonly ActorRef[]>,
): Promise<{ readonly failed: number; readonly last: ActorRef | undefined }> {
  const { pool, store, entities, tables, projection, log } = target
  return withTransaction(pool, async client => {
    await enterProjection(client, target)
    // Holding the checkpoint, and folding no further than it: the runner goes on from there.
    const position = (await lockCheckpoint(client, projection, 'wait')) ?? 0
    const refs = await choose(client)
    const versions = await versionsAt(client, refs, position)
    const outcome = new Outcome(tables)
    const missing: Missing[] = []
    for (const ref of refs) {
      const entity = entities.get(ref.type)
      const key = formatActorRef(ref)
      if (entity === undefined) outcome.failures.push(stranger(ref, position))
      else if (isViewed(entity)) missing.push({ key, entity, ref, from: undefined, to: versions.get(key) ?? 0 })
    }
    for (const result of (await loadStates(client, store, missing)).values()) outcome.add(result)
    await unpark(client, projection, refs)
    await outcome.write(client, projection, 'isolating', log)
    return { failed: outcome.failures.length, last: refs.at(-1) }
  })
}
