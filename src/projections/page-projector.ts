/** Moves a set of read tables and their checkpoint forward by a page of the log: rows and checkpoint in one transaction. */
import { faultPoint } from '#fault-point'
import type { LogEvent } from '../core/event.ts'
import { formatActorRef } from '../core/ids.ts'
import { type PoolClient, withTransaction } from '../eventstore/pool.ts'
import { lockCheckpoint, moveCheckpoint } from './checkpoints.ts'
import { type FoldResult, foldOn, groupByActor, type Touched } from './fold.ts'
import { loadStates, type Missing } from './load-states.ts'
import { Outcome, type Writing } from './outcome.ts'
import { parkedAmong } from './parked-actors.ts'
import { StateCache } from './state-cache.ts'
import { enterProjection, type Target } from './target.ts'
import { isPoison } from './write-rows.ts'

/** Events of a page. */
export const PAGE = 5_000

export interface Advance {
  /** The page holds what came after this position. */
  readonly from: number
  /** Where the checkpoint is now. */
  readonly position: number
  /** Events of the page; none at the end of the log. */
  readonly events: number
}

export class PageProjector {
  readonly #target: Target
  readonly #cache: StateCache
  /** The page after the last one, read while that one is worked on. */
  #ahead: { readonly after: number; readonly events: Promise<readonly LogEvent[]> } | undefined

  /** @param cachedStates states kept between pages, about a kilobyte each */
  constructor(target: Target, cachedStates: number) {
    this.#target = target
    this.#cache = new StateCache(cachedStates)
  }

  /**
   * Projects the next page, up to `until` at the most. Undefined while another runner is at it. What is wrong with one
   * actor parks that one; throws AppError `log_unavailable` and whatever else stands in the way of all.
   */
  async advance(until: number = Number.MAX_SAFE_INTEGER): Promise<Advance | undefined> {
    try {
      return await this.#advance(until, 'all')
    } catch (error) {
      if (!isPoison(error)) throw error
      return await this.#advance(until, 'isolating')
    }
  }

  /** Goes on to `until` inside the transaction of a caller who keeps everything else still; answers where it got. */
  async advanceWithin(client: PoolClient, until: number): Promise<number> {
    let position = (await lockCheckpoint(client, this.#target.projection, 'wait')) ?? 0
    while (position < until) {
      const page = await this.#page(client, position, until, 'isolating')
      if (page.events === 0) break
      position = page.position
    }
    return position
  }

  async #advance(until: number, writing: Writing): Promise<Advance | undefined> {
    const { pool, projection } = this.#target
    const page = await withTransaction(pool, async client => {
      await enterProjection(client, this.#target)
      const from = await lockCheckpoint(client, projection, 'skip')
      return from === undefined ? undefined : this.#page(client, from, until, writing)
    })
    if (page?.outcome !== undefined) faultPoint('projection.committed')
    // Only now: nothing may go on from states of a transaction that was rolled back.
    if (page?.outcome !== undefined) this.#remember(page.outcome)
    return page
  }

  async #page(
    client: PoolClient,
    from: number,
    until: number,
    writing: Writing,
  ): Promise<Advance & { readonly outcome: Outcome | undefined }> {
    const { projection, log } = this.#target
    const events = await this.#read(from, until)
    const last = events.at(-1)
    if (last === undefined) return { from, position: from, events: 0, outcome: undefined }
    const outcome = await this.#fold(client, events)
    await outcome.write(client, projection, writing, log)
    await moveCheckpoint(client, projection, last.position)
    faultPoint('projection.before-commit')
    return { from, position: last.position, events: events.length, outcome }
  }

  async #read(after: number, until: number): Promise<readonly LogEvent[]> {
    const { store } = this.#target
    const ahead = this.#ahead
    this.#ahead = undefined
    const events = await (ahead?.after === after ? ahead.events : store.readAll(after, PAGE))
    const last = events.at(-1)
    if (last === undefined || last.position >= until) return events.filter(({ position }) => position <= until)
    if (events.length === PAGE) {
      this.#ahead = { after: last.position, events: store.readAll(last.position, PAGE) }
      // Whoever takes that page hears of its failure; nobody else needs to.
      this.#ahead.events.catch(() => {})
    }
    return events
  }

  async #fold(client: PoolClient, events: readonly LogEvent[]): Promise<Outcome> {
    const { entities, tables, projection } = this.#target
    const { touched, strangers } = groupByActor(events, entities)
    const parked = await parkedAmong(client, projection, [...touched, ...strangers])
    const open = parked.size === 0 ? touched : touched.filter(({ key }) => !parked.has(key))
    const starts = await this.#starts(client, open)
    const outcome = new Outcome(tables)
    for (const { key, entity, ref, events: own } of open) {
      const start = starts.get(key)
      outcome.add(start?.failure === undefined ? foldOn(entity, ref, start?.actor, own) : start)
    }
    outcome.failures.push(...strangers.filter(({ ref }) => !parked.has(formatActorRef(ref))))
    return outcome
  }

  /** Where each actor stands before the page, from the cache or else from the log; actors that begin in it are left out. */
  async #starts(client: PoolClient, touched: readonly Touched[]): Promise<ReadonlyMap<string, FoldResult>> {
    const cached = new Map<string, FoldResult>()
    const missing: Missing[] = []
    for (const { key, entity, ref, events } of touched) {
      const before = (events[0]?.version ?? 1) - 1
      const actor = before === 0 ? undefined : this.#cache.get(key)
      if (actor?.version === before) cached.set(key, { actor, failure: undefined })
      // Another node projected what lies between.
      else if (before > 0)
        missing.push({ key, entity, ref, from: actor && actor.version < before ? actor : undefined, to: before })
    }
    if (missing.length === 0) return cached
    return new Map([...cached, ...(await loadStates(client, this.#target.store, missing))])
  }

  #remember({ rows, failures }: Outcome): void {
    for (const { actor } of rows) this.#cache.set(formatActorRef(actor.ref), actor)
    for (const { ref } of failures) this.#cache.delete(formatActorRef(ref))
  }
}
