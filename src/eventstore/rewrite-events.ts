/** Replaces the data of events, and drops snapshots of it: the one way in which the log is ever changed, for what should never have been written in the clear. */
import type { Origin } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import { SEALED_KEY } from '../core/personal.ts'
import { type Pool, withTransaction } from './pool.ts'

export interface Rewrite {
  readonly position: number
  readonly data: JsonObject
  readonly origin: Origin | undefined
}

/** All of them or none, with the snapshots that hold it in the clear. Seals over them do not match any more, and a verification names these positions. */
export function rewriteEvents(pool: Pool, rewrites: readonly Rewrite[]): Promise<void> {
  return withTransaction(pool, async client => {
    await client.query("select set_config('rootstream.rewrite_history', 'on', true)")
    await client.query(
      `update events e set data = r.data, origin = r.origin
       from json_to_recordset($1) as r (position bigint, data jsonb, origin jsonb) where e.position = r.position`,
      [JSON.stringify(rewrites)],
    )
    // What was folded of them goes too: a snapshot saves time, nothing else.
    await client.query(
      `delete from actor_snapshots s using events e
       where e.position = any($1::bigint[]) and s.actor_type = e.actor_type and s.actor_id = e.actor_id
         and not s.state -> 'context' ? $2`,
      [rewrites.map(({ position }) => position), SEALED_KEY],
    )
  })
}
