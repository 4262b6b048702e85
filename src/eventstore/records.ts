/** The small tables beside the log: snapshots, id blocks, timers, leases. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import type { ActorId, ActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { DueTimer, Lease } from '../core/ports.ts'
import type { Snapshot } from '../core/state.ts'
import { type Pool, query } from './pool.ts'

const stateSchema = z.object({
  value: z.union([z.string(), z.record(z.string(), z.unknown())]),
  context: z.record(z.string(), z.unknown()),
})

/** Throws AppError `corrupt_data` where what is stored is no state. */
export async function loadSnapshot(pool: Pool, actor: ActorRef): Promise<Snapshot | undefined> {
  const [row] = await query<{ version: number; state_version: number; state: unknown }>(pool, {
    name: 'load_snapshot',
    text: 'select version, state_version, state from actor_snapshots where actor_type = $1 and actor_id = $2',
    values: [actor.type, actor.id],
  })
  if (row === undefined) return undefined
  const state = stateSchema.safeParse(row.state)
  if (!state.success) throw new AppError('corrupt_data', `The snapshot of ${actor.type}/${actor.id} is no state.`)
  return { version: row.version, stateVersion: row.state_version, state: state.data as Snapshot['state'] }
}

/** First id of a block that no other caller gets. */
export async function reserveBlock(pool: Pool, actorType: string, size: number): Promise<number> {
  const [row] = await query<{ first: number }>(pool, {
    name: 'reserve_block',
    text: `
      insert into id_blocks (actor_type, next_id) values ($1, 1 + $2::bigint)
      on conflict (actor_type) do update set next_id = id_blocks.next_id + $2
      returning next_id - $2 as first`,
    values: [actorType, size],
  })
  if (row === undefined) throw new Error('no block was reserved')
  return row.first
}

export async function reserveIds(pool: Pool, actorType: string, highest: number): Promise<void> {
  await query(pool, {
    name: 'reserve_ids',
    text: `
      insert into id_blocks (actor_type, next_id) values ($1, $2::bigint + 1)
      on conflict (actor_type) do update set next_id = greatest(id_blocks.next_id, excluded.next_id)`,
    values: [actorType, highest],
  })
}

export async function takeDueTimers(
  pool: Pool,
  now: string,
  limit: number,
  holdMs: number,
): Promise<readonly DueTimer[]> {
  const rows = await query<{
    actor_type: string
    actor_id: number
    name: string
    kind: 'event' | 'effect'
    due_at: string
    payload: JsonObject
    attempts: number
  }>(pool, {
    name: 'take_due_timers',
    // Two looks, because each has its index: what nobody took, and what a node took and kept silent about.
    text: `
      with fresh as (
        select actor_type, actor_id, name, due_at from timers
        where taken_until is null and due_at <= $1
        order by due_at limit $2 for update skip locked
      ),
      abandoned as (
        select actor_type, actor_id, name, due_at from timers
        where taken_until <= $1 and due_at <= $1
        order by taken_until limit $2 for update skip locked
      ),
      due as (
        select * from fresh union all select * from abandoned order by due_at limit $2
      )
      update timers t set taken_until = $1::timestamptz + make_interval(secs => $3::double precision / 1000), attempts = attempts + 1
      from due where (t.actor_type, t.actor_id, t.name) = (due.actor_type, due.actor_id, due.name)
      returning t.actor_type, t.actor_id, t.name, t.kind, t.due_at, t.payload, t.attempts`,
    values: [now, limit, holdMs],
  })
  return rows
    .map(row => ({
      actor: { type: row.actor_type, id: row.actor_id as ActorId },
      name: row.name,
      kind: row.kind,
      dueAt: row.due_at,
      payload: row.payload,
      attempts: row.attempts,
    }))
    .sort((a, b) => (a.dueAt < b.dueAt ? -1 : 1))
}

/** Only as it was taken: setting it anew puts `attempts` back to 0, and another taker counts it up. */
export async function settleTimer(pool: Pool, { actor, name, dueAt, attempts }: DueTimer): Promise<void> {
  await query(pool, {
    name: 'settle_timer',
    text: 'delete from timers where actor_type = $1 and actor_id = $2 and name = $3 and due_at = $4 and attempts = $5',
    values: [actor.type, actor.id, name, dueAt, attempts],
  })
}

export async function nextTimerAt(pool: Pool): Promise<string | undefined> {
  const [row] = await query<{ next: string | null }>(pool, {
    name: 'next_timer_at',
    text: `
      select least(
        (select due_at from timers where taken_until is null order by due_at limit 1),
        (select taken_until from timers where taken_until is not null order by taken_until limit 1)) as next`,
  })
  return row?.next ?? undefined
}

/** By the database's clock alone. A lease that passes to another holder, or ended before it is taken again, gets a larger token. */
export async function acquireLease(
  pool: Pool,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  const [row] = await query<{ token: number; expires_at: string }>(pool, {
    name: 'acquire_lease',
    text: `
      insert into leases as held (name, holder, token, expires_at)
      values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3::double precision / 1000))
      on conflict (name) do update
        set holder = excluded.holder, expires_at = excluded.expires_at,
          token = held.token + case when held.holder = excluded.holder and held.expires_at > clock_timestamp() then 0 else 1 end
        where held.holder = excluded.holder or held.expires_at <= clock_timestamp()
      returning token, expires_at`,
    values: [name, holder, ttlMs],
  })
  return row === undefined ? undefined : { name, token: row.token, expiresAt: row.expires_at }
}

/** The row stays, so that no token is ever given twice. */
export async function releaseLease(pool: Pool, name: string, holder: string): Promise<void> {
  await query(pool, {
    name: 'release_lease',
    text: 'update leases set expires_at = clock_timestamp() where name = $1 and holder = $2 and expires_at > clock_timestamp()',
    values: [name, holder],
  })
}
