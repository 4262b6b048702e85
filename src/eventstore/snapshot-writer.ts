/** Writes snapshots: those that come while a write is under way go together in the next. */
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { Snapshot } from '../core/state.ts'
import { isBadValue } from './pg-errors.ts'
import { type Pool, query } from './pool.ts'

const MOST = 200

interface WaitingSnapshot {
  readonly actor: ActorRef
  readonly snapshot: Snapshot
  resolve(): void
  reject(error: unknown): void
}

export class SnapshotWriter {
  readonly #pool: Pool
  #waiting: WaitingSnapshot[] = []
  #running: Promise<void> | undefined

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** A snapshot never goes back: an older one than the stored changes nothing. */
  save(actor: ActorRef, snapshot: Snapshot): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ actor, snapshot, resolve, reject })
      this.#running ??= this.#drain()
    })
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#settle(this.#waiting.splice(0, MOST))
    this.#running = undefined
  }

  async #settle(batch: readonly WaitingSnapshot[]): Promise<void> {
    try {
      await this.#write(batch)
      for (const { resolve } of batch) resolve()
    } catch (error) {
      // One that Postgres cannot store does not keep the others from being written.
      if (isBadValue(error) && batch.length > 1) for (const waiting of batch) await this.#settle([waiting])
      else for (const { reject } of batch) reject(error)
    }
  }

  async #write(batch: readonly WaitingSnapshot[]): Promise<void> {
    // One statement writes a row once: of an actor's snapshots only the newest goes.
    const newest = new Map<string, WaitingSnapshot>()
    for (const waiting of batch) {
      const key = formatActorRef(waiting.actor)
      const known = newest.get(key)
      if (known === undefined || known.snapshot.version < waiting.snapshot.version) newest.set(key, waiting)
    }
    const rows = [...newest.values()].map(({ actor, snapshot: { version, stateVersion, state } }) => ({
      actor_type: actor.type,
      actor_id: actor.id,
      version,
      state_version: stateVersion,
      state,
    }))
    await query(this.#pool, {
      name: 'save_snapshots',
      text: `
        insert into actor_snapshots (actor_type, actor_id, version, state_version, state, at)
        select r.*, now() from json_to_recordset($1) as r (
          actor_type text, actor_id bigint, version integer, state_version integer, state jsonb)
        on conflict (actor_type, actor_id) do update
          set version = excluded.version, state_version = excluded.state_version, state = excluded.state, at = excluded.at
          where excluded.version > actor_snapshots.version`,
      values: [JSON.stringify(rows)],
    })
  }
}
