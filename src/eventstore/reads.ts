/** Reading the log from Postgres: streams and the whole log by keyset, the audit, command ids. */
import { AppError } from '../core/errors.ts'
import type { LogEvent, Origin } from '../core/event.ts'
import { type ActorId, type ActorRef, actorId, MAX_INT4 } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { ActorHead, AuditPage, AuditQuery, Claim, StreamRange } from '../core/ports.ts'
import { type Pool, queryArrays } from './pool.ts'

const CHUNK = 1_000
const MAX_PAGE = 1_000
const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00Z')
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z')

// jsonb as text: the client parses only the data, and Postgres builds no rows of text and types.
export const COLUMNS =
  'position, actor_type, actor_id, version, type, schema_version, data::text, state, at, node, incarnation, n, user_id, command_id, causation, correlation, token, origin::text'

/** What to select of a log at an older schema: a column that it lacks reads as null. */
export function columnsOf(present: ReadonlySet<string>): string {
  const named = COLUMNS.split(', ').map(column => (present.has(column.replace(/::.*/, '')) ? column : 'null'))
  return named.join(', ')
}

type EventRow = [
  position: number,
  actorType: string,
  actorId: number,
  version: number,
  type: string,
  schemaVersion: number,
  data: string,
  state: string,
  at: string,
  node: string,
  incarnation: number,
  n: number,
  userId: number | null,
  commandId: string | null,
  causation: number | null,
  correlation: string | null,
  token: number | null,
  origin: string | null,
]

export async function* readStream(
  pool: Pool,
  actor: ActorRef,
  range: StreamRange = {},
  columns: string = COLUMNS,
): AsyncIterable<readonly LogEvent[]> {
  let from = range.from ?? 1
  const to = range.to ?? MAX_INT4
  while (from <= to) {
    const rows = await queryArrays<EventRow>(pool, {
      name: 'read_stream',
      text: `select ${columns} from events where actor_type = $1 and actor_id = $2 and version >= $3 and version <= $4 order by version limit ${CHUNK}`,
      values: [actor.type, actor.id, from, to],
    })
    const events = rows.map(toEvent)
    const last = events.at(-1)
    if (last === undefined) return
    yield events
    if (events.length < CHUNK) return
    from = last.version + 1
  }
}

export async function readAll(pool: Pool, after: number, limit: number): Promise<readonly LogEvent[]> {
  const rows = await queryArrays<EventRow>(pool, {
    name: 'read_all',
    text: `select ${COLUMNS} from events where position > $1 order by position limit $2`,
    values: [after, limit],
  })
  return rows.map(toEvent)
}

export async function head(pool: Pool): Promise<number> {
  const rows = await queryArrays<[number]>(pool, {
    name: 'head',
    text: 'select coalesce((select position from events order by position desc limit 1), 0)::bigint',
    values: [],
  })
  return rows[0]?.[0] ?? 0
}

export function eventAt(pool: Pool, position: number): Promise<LogEvent | undefined> {
  return one(pool, 'event_at', 'position = $1', position)
}

export async function holderOf(pool: Pool, { kind, key }: Claim): Promise<ActorRef | undefined> {
  const [row] = await queryArrays<[type: string, id: number]>(pool, {
    name: 'holder_of',
    text: 'select actor_type, actor_id from claims where kind = $1 and key = $2',
    values: [kind, key],
  })
  return row === undefined ? undefined : { type: row[0], id: actorId(Number(row[1])) }
}

export function findCommand(pool: Pool, commandId: string): Promise<LogEvent | undefined> {
  return one(pool, 'find_command', 'command_id = $1', commandId)
}

export async function audit(pool: Pool, query: AuditQuery): Promise<AuditPage> {
  const limit = Math.min(Math.max(1, query.limit ?? 100), MAX_PAGE)
  const conditions = ['position > $1']
  const values: unknown[] = [query.after ?? 0]
  const where = (condition: string, value: unknown) => {
    if (value === undefined) return
    values.push(value)
    conditions.push(condition.replace('?', `$${values.length}`))
  }
  where('user_id = ?', query.userId)
  where('actor_type = ?', query.actor?.type ?? query.actorType)
  where('actor_id = ?', query.actor?.id)
  where('type = ?', query.type)
  where('at >= ?', instant(query.since))
  where('at < ?', instant(query.until))
  values.push(limit + 1)
  const rows = await queryArrays<EventRow>(pool, {
    text: `select ${COLUMNS} from events where ${conditions.join(' and ')} order by position limit $${values.length}`,
    values,
  })
  const events = rows.slice(0, limit).map(toEvent)
  const next = rows.length > limit ? events.at(-1)?.position : undefined
  return next === undefined ? { events } : { events, next }
}

/**
 * A time as Postgres takes it: it knows no year 0, and no offset of 16 hours. What lies outside its years is their end.
 * Throws AppError `invalid_input`.
 */
function instant(time: string | undefined): string | undefined {
  if (time === undefined) return undefined
  const at = Date.parse(time)
  if (Number.isNaN(at)) throw new AppError('invalid_input', 'A time is told as ISO 8601, like 2026-11-20T10:00:00Z.')
  const within = new Date(Math.min(Math.max(at, FIRST_INSTANT), LAST_INSTANT))
  // As it was told, where that can be: it may have microseconds.
  return time.endsWith('Z') && within.getTime() === at ? time : within.toISOString()
}

/** Hops over the index from actor to actor, so that long streams cost no more than short ones. */
export async function listActors(
  pool: Pool,
  type: string,
  after: number,
  limit: number,
): Promise<readonly ActorHead[]> {
  const rows = await queryArrays<[id: number, version: number, state: string, at: string]>(pool, {
    name: 'list_actors',
    text: `
      with recursive ids as (
        (select actor_id from events where actor_type = $1 and actor_id > $2 order by actor_id limit 1)
        union all
        select (select e.actor_id from events e where e.actor_type = $1 and e.actor_id > ids.actor_id order by e.actor_id limit 1)
        from ids where ids.actor_id is not null
      )
      select last.actor_id, last.version, last.state, last.at
      from ids cross join lateral (
        select actor_id, version, state, at from events
        where actor_type = $1 and actor_id = ids.actor_id order by version desc limit 1
      ) last
      limit $3`,
    values: [type, after, Math.min(limit, MAX_PAGE)],
  })
  return rows.map(([id, version, state, at]) => ({ id, version, state, at }))
}

/** Hops over the index from type to type. */
export async function actorTypes(pool: Pool): Promise<readonly string[]> {
  const rows = await queryArrays<[string]>(pool, {
    text: `
      with recursive types as (
        (select actor_type from events order by actor_type limit 1)
        union all
        select (select e.actor_type from events e where e.actor_type > types.actor_type order by e.actor_type limit 1)
        from types where types.actor_type is not null
      )
      select actor_type from types where actor_type is not null`,
  })
  return rows.map(([type]) => type)
}

async function one(pool: Pool, name: string, condition: string, value: unknown): Promise<LogEvent | undefined> {
  const rows = await queryArrays<EventRow>(pool, {
    name,
    text: `select ${COLUMNS} from events where ${condition}`,
    values: [value],
  })
  return rows[0] === undefined ? undefined : toEvent(rows[0])
}

function toEvent(row: EventRow): LogEvent {
  const event = {
    position: row[0],
    actorType: row[1],
    actorId: row[2] as ActorId,
    version: row[3],
    type: row[4],
    schemaVersion: row[5],
    data: JSON.parse(row[6]) as JsonObject,
    state: row[7],
    at: row[8],
    node: row[9],
    incarnation: row[10],
    n: row[11],
    userId: row[12],
    commandId: row[13],
    causation: row[14],
    correlation: row[15],
    token: row[16],
  }
  return row[17] === null ? event : { ...event, origin: JSON.parse(row[17]) as Origin }
}
