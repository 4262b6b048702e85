/** Reads of the log that only folding needs: whole actors one after the other, and the missing events of many actors at once. */
import type { RecordedEvent } from '../core/event.ts'
import { type ActorId, type ActorRef, formatActorRef, MAX_INT4 } from '../core/ids.ts'
import type { EventStore } from '../core/ports.ts'
import { type Pool, type PoolClient, queryArrays } from '../eventstore/pool.ts'
import { RECORDED_COLUMNS, readColumns } from '../eventstore/recorded-events.ts'

/** Events in one answer. */
export const CHUNK = 2_000

/**
 * Events of all actors of a type up to a position, by id and version, in chunks. The next chunk is under way while the
 * caller works on this one.
 */
export async function* readByActor(
  { pool, store }: { readonly pool: Pool; readonly store: Pick<EventStore, 'opened'> },
  actorType: string,
  range: { readonly afterId: number; readonly upTo: number },
): AsyncIterable<readonly RecordedEvent[]> {
  const read = async (afterId: number, afterVersion: number): Promise<readonly RecordedEvent[]> => {
    const statement = {
      name: 'read_by_actor',
      text: `
        select ${RECORDED_COLUMNS}, actor_id as owner from events
        where actor_type = $1 and (actor_id, version) > ($2, $3) and position <= $4
        order by actor_id, version limit ${CHUNK}`,
      values: [actorType, afterId, afterVersion, range.upTo],
    }
    return store.opened((await readColumns(pool, statement, id => ({ type: actorType, id }))).events)
  }
  // No actor has as many versions: the first to be read is the one after `afterId`.
  let next = read(range.afterId, MAX_INT4)
  for (;;) {
    const events = await next
    const last = events.at(-1)
    if (last === undefined) return
    if (events.length === CHUNK) {
      next = read(last.actorId, last.version)
      // Where the caller stops before it asks for more, nobody hears of a failure.
      next.catch(() => {})
    }
    yield events
    if (events.length < CHUNK) return
  }
}

/** Versions of one actor: after `after`, before `before`. */
export interface Gap {
  readonly ref: ActorRef
  readonly after: number
  readonly before: number
}

/** The events of many gaps in one statement, in the order of the gaps. The caller bounds their number. */
export async function readGaps(
  client: PoolClient,
  store: Pick<EventStore, 'opened'>,
  gaps: readonly Gap[],
): Promise<readonly (readonly RecordedEvent[])[]> {
  const statement = {
    name: 'read_gaps',
    // A lateral that cannot be flattened: each gap is a range of the stream index, whatever the planner thinks of the rest.
    text: `
      select e.*, g.which as owner
      from json_to_recordset($1) as g (which integer, type text, id bigint, after integer, before integer)
      cross join lateral (
        select ${RECORDED_COLUMNS} from events
        where actor_type = g.type and actor_id = g.id and version > g.after and version < g.before
        order by version offset 0
      ) e`,
    values: [
      JSON.stringify(gaps.map(({ ref: { type, id }, after, before }, which) => ({ which, type, id, after, before }))),
    ],
  }
  const { events: stored, owners } = await readColumns(client, statement, which => (gaps[which] as Gap).ref)
  const events = await store.opened(stored)
  const found: RecordedEvent[][] = gaps.map(() => [])
  for (const [index, which] of owners.entries()) found[which]?.push(events[index] as RecordedEvent)
  return found
}

/** The version each actor has at a position, as `formatActorRef` writes the actor; none where it has no events by then. */
export async function versionsAt(
  client: PoolClient,
  actors: readonly ActorRef[],
  position: number,
): Promise<ReadonlyMap<string, number>> {
  const rows = await queryArrays<[type: string, id: number, version: number]>(client, {
    text: `
      select a.type, a.id, e.version from json_to_recordset($1) as a (type text, id bigint)
      cross join lateral (
        select version from events where actor_type = a.type and actor_id = a.id and position <= $2
        order by version desc limit 1
      ) e`,
    values: [JSON.stringify(actors), position],
  })
  return new Map(rows.map(([type, id, version]) => [formatActorRef({ type, id: id as ActorId }), version]))
}
