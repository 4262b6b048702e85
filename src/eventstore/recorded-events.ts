/**
 * The hot path of loading, replaying and rebuilding: events with only what folding reads.
 *
 * A chunk comes as one row that holds a JSON array for each column. The client takes it apart with one `JSON.parse` a
 * column, a third of the work of a row of seven values for each event.
 */
import type { RecordedEvent } from '../core/event.ts'
import { type ActorId, type ActorRef, MAX_INT4 } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { StreamRange } from '../core/ports.ts'
import { isoText, type Pool, type PoolClient, queryArrays, type Statement } from './pool.ts'

// As large as an event may be, so many of them stay far below what Postgres and JavaScript can hold in one text.
const CHUNK = 1_000

/** What the text of a statement of `readColumns` selects, beside `owner`. */
export const RECORDED_COLUMNS = "version, position, type, schema_version, data, state, at, origin ->> 'clock' as clock"

type Columns = [
  versions: string | null,
  positions: string,
  types: string,
  schemaVersions: string,
  data: string,
  states: string,
  times: string,
  owners: string,
  clocks: string | null,
]

/** Events in the order of the statement, and the `owner` of each, by which the caller knows whose it is. */
export interface OwnedEvents {
  readonly events: readonly RecordedEvent[]
  readonly owners: readonly number[]
}

const NONE: OwnedEvents = { events: [], owners: [] }

/** @param statement selects `RECORDED_COLUMNS` and a number as `owner` */
export async function readColumns(
  pool: Pool | PoolClient,
  { text, ...statement }: Statement,
  actorOf: (owner: number) => { readonly type: string; readonly id: number },
): Promise<OwnedEvents> {
  const [row] = await queryArrays<Columns>(pool, {
    ...statement,
    text: `
      select json_agg(version)::text, json_agg(position)::text, json_agg(type)::text, json_agg(schema_version)::text,
        json_agg(data)::text, json_agg(state)::text, json_agg(at)::text, json_agg(owner)::text,
        json_object_agg(position, clock) filter (where clock is not null)::text
      from (${text}) e`,
  })
  if (row === undefined || row[0] === null) return NONE
  const [versions, positions, types, schemaVersions, data, states, times, owners] = (
    row.slice(0, -1) as Exclude<Columns[number], null>[]
  ).map(column => JSON.parse(column)) as [
    number[],
    number[],
    string[],
    number[],
    JsonObject[],
    string[],
    string[],
    number[],
  ]
  // Most events have none: they were decided on the log itself.
  const clocks = row[8] === null ? undefined : (JSON.parse(row[8]) as Readonly<Record<string, string>>)
  const events = owners.map((owner, index): RecordedEvent => {
    const { type, id } = actorOf(owner)
    const clock = clocks?.[positions[index] as number]
    return {
      actorType: type,
      actorId: id as ActorId,
      version: versions[index] as number,
      position: positions[index] as number,
      type: types[index] as string,
      schemaVersion: schemaVersions[index] as number,
      data: data[index] as JsonObject,
      state: states[index] as string,
      // Up to the minutes of the zone it is written as in a row.
      at: isoText((times[index] as string).slice(0, -3)),
      ...(clock === undefined ? undefined : { origin: { clock } }),
    }
  })
  return { events, owners }
}

/** By version, in chunks. The next chunk is under way while the caller folds this one. */
export async function* readRecorded(
  pool: Pool,
  actor: ActorRef,
  range: StreamRange = {},
): AsyncIterable<readonly RecordedEvent[]> {
  const to = range.to ?? MAX_INT4
  const read = async (from: number): Promise<readonly RecordedEvent[]> => {
    const statement = {
      name: 'read_recorded',
      text: `
        select ${RECORDED_COLUMNS}, actor_id as owner from events
        where actor_type = $1 and actor_id = $2 and version >= $3 and version <= $4 order by version limit ${CHUNK}`,
      values: [actor.type, actor.id, from, to],
    }
    return (await readColumns(pool, statement, () => actor)).events
  }
  let next = read(range.from ?? 1)
  for (;;) {
    const events = await next
    const last = events.at(-1)
    if (last === undefined) return
    const more = events.length === CHUNK && last.version < to
    if (more) {
      next = read(last.version + 1)
      // Where the caller stops before it asks for more, nobody hears of a failure.
      next.catch(() => {})
    }
    yield events
    if (!more) return
  }
}
