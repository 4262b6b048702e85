/** Replaces the data of events: the one way in which the log is ever changed, for what should never have been written in the clear. */
import type { Origin } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import { type Pool, withTransaction } from './pool.ts'

export interface Rewrite {
  readonly position: number
  readonly data: JsonObject
  readonly origin: Origin | undefined
}

/** All of them or none. Seals over them do not match any more, and a verification names these positions. */
export function rewriteEvents(pool: Pool, rewrites: readonly Rewrite[]): Promise<void> {
  return withTransaction(pool, async client => {
    await client.query("select set_config('rootstream.rewrite_history', 'on', true)")
    await client.query(
      `update events e set data = r.data, origin = r.origin
       from json_to_recordset($1) as r (position bigint, data jsonb, origin jsonb) where e.position = r.position`,
      [JSON.stringify(rewrites)],
    )
  })
}
