/** The list of actors that could not be projected. They are passed over until a retry, which each start of a node is, or a rebuild. */
import { type ActorId, type ActorRef, formatActorRef } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
import { type Pool, type PoolClient, query } from '../eventstore/pool.ts'
import type { Failure } from './fold.ts'

export interface ProjectionFailure {
  readonly actorType: string
  readonly actorId: number
  /** Position of the event at which it was parked. */
  readonly position: number
  readonly error: string
  readonly failedAt: string
}

const MAX_ERROR = 2_000
const LOGGED = 5

export async function park(
  client: PoolClient,
  projection: string,
  failures: readonly Failure[],
  log: Logger,
): Promise<void> {
  const [first] = failures
  if (first === undefined) return
  log.error(
    {
      projection,
      parked: failures.length,
      actors: failures.slice(0, LOGGED).map(({ ref }) => formatActorRef(ref)),
      error: first.error,
    },
    'actors could not be projected; they are parked and the others go on',
  )
  const rows = failures.map(({ ref, position, error }) => ({
    actor_type: ref.type,
    actor_id: ref.id,
    position,
    // A text of Postgres holds no NUL, and an error may quote anything.
    error: error.slice(0, MAX_ERROR).replaceAll('\0', '').toWellFormed(),
  }))
  await client.query({
    name: 'park',
    text: `
      insert into projection_failures (projection, actor_type, actor_id, position, error)
      select $1, * from json_to_recordset($2) as r (actor_type text, actor_id bigint, position bigint, error text)
      on conflict (projection, actor_type, actor_id)
        do update set position = excluded.position, error = excluded.error, failed_at = now()`,
    values: [projection, JSON.stringify(rows)],
  })
}

export async function unpark(client: PoolClient, projection: string, actors: readonly ActorRef[]): Promise<void> {
  await client.query(
    `delete from projection_failures f
     using json_to_recordset($2) as r (type text, id bigint)
     where f.projection = $1 and f.actor_type = r.type and f.actor_id = r.id`,
    [projection, JSON.stringify(actors)],
  )
}

/** Which of these actors are parked, as `formatActorRef` writes them. */
export async function parkedAmong(
  client: PoolClient,
  projection: string,
  actors: readonly { readonly ref: ActorRef }[],
): Promise<ReadonlySet<string>> {
  // As a rule there are none, and to ask that costs less than to send the actors of a page.
  const { rows: any } = await client.query<{ some: boolean }>({
    name: 'any_parked',
    text: 'select exists (select from projection_failures where projection = $1) as some',
    values: [projection],
  })
  if (any[0]?.some !== true) return new Set()
  const { rows } = await client.query<{ type: string; id: number }>({
    name: 'parked_among',
    text: `
      select r.type, r.id from json_to_recordset($2) as r (type text, id bigint)
      join projection_failures f on f.projection = $1 and f.actor_type = r.type and f.actor_id = r.id`,
    values: [projection, JSON.stringify(actors.map(({ ref }) => ref))],
  })
  return new Set(rows.map(({ type, id }) => formatActorRef({ type, id: id as ActorId })))
}

/** Parked actors by address, the ones after `after` (a first page without). */
export async function parkedAfter(
  client: PoolClient,
  projection: string,
  after: ActorRef | undefined,
  limit: number,
): Promise<readonly ActorRef[]> {
  const { rows } = await client.query<{ type: string; id: number }>(
    `select actor_type as type, actor_id as id from projection_failures
     where projection = $1 and (actor_type, actor_id) > ($2, $3) order by actor_type, actor_id limit $4`,
    [projection, after?.type ?? '', after?.id ?? 0, limit],
  )
  return rows.map(({ type, id }) => ({ type, id: id as ActorId }))
}

/** What one projection has parked of these types becomes what the other has. */
export async function takeOverParked(
  client: PoolClient,
  from: string,
  to: string,
  actorTypes: readonly string[],
): Promise<void> {
  await client.query('delete from projection_failures where projection = $1 and actor_type = any($2)', [to, actorTypes])
  await client.query(
    `insert into projection_failures (projection, actor_type, actor_id, position, error)
     select $2, actor_type, actor_id, position, error from projection_failures where projection = $1
     on conflict do nothing`,
    [from, to],
  )
}

export async function countParked(pool: Pick<Pool, 'query'>, projection: string): Promise<number> {
  const [row] = await query<{ count: number }>(pool, {
    text: 'select count(*) as count from projection_failures where projection = $1',
    values: [projection],
  })
  return row?.count ?? 0
}

/** The oldest first, at most `limit`. */
export async function listParked(pool: Pool, projection: string, limit: number): Promise<readonly ProjectionFailure[]> {
  const rows = await query<{
    actor_type: string
    actor_id: number
    position: number
    error: string
    failed_at: string
  }>(pool, {
    text: `
      select actor_type, actor_id, position, error, failed_at from projection_failures
      where projection = $1 order by failed_at, actor_type, actor_id limit $2`,
    values: [projection, limit],
  })
  return rows.map(row => ({
    actorType: row.actor_type,
    actorId: row.actor_id,
    position: row.position,
    error: row.error,
    failedAt: row.failed_at,
  }))
}
