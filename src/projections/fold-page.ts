/** The hot path of projections: folds a page of the log into the end state of each actor it touches. */
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { EventStore } from '../core/ports.ts'
import type { ActorState } from '../core/state.ts'
import { fold, initialState } from '../machines/decide.ts'
import type { EntityDefinition, View } from '../machines/define.ts'
import type { TableChange } from './tables.ts'

export interface FoldedActor {
  readonly entity: EntityDefinition
  readonly ref: ActorRef
  readonly version: number
  readonly state: ActorState
}

export interface FoldFailure {
  readonly ref: ActorRef
  /** Position of the event that could not be folded. */
  readonly position: number
  readonly error: string
}

export interface FoldedPage {
  readonly actors: ReadonlyMap<string, FoldedActor>
  readonly failures: readonly FoldFailure[]
}

/** States of recently touched actors: what a page starts from. The least recently used leave first. */
export class StateCache {
  readonly #states = new Map<string, FoldedActor>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: string): FoldedActor | undefined {
    return this.#states.get(key)
  }

  /** Takes over the end states of a page, once they are committed. */
  keep(actors: ReadonlyMap<string, FoldedActor>): void {
    for (const [key, actor] of actors) {
      this.#states.delete(key)
      this.#states.set(key, actor)
    }
    for (const key of this.#states.keys()) {
      if (this.#states.size <= this.#capacity) break
      this.#states.delete(key)
    }
  }

  clear(): void {
    this.#states.clear()
  }
}

/** Streams that are read side by side where the cache has no state. */
const PARALLEL_LOADS = 8

interface Work {
  readonly entity: EntityDefinition
  readonly ref: ActorRef
  readonly events: LogEvent[]
}

/**
 * Folds the events of a page, in order. An actor whose events cannot be folded fails alone; events of entities that are
 * not in the registry belong to other code and are passed over.
 * @param parked actors that failed before and are left alone
 */
export async function foldPage(
  events: readonly LogEvent[],
  entities: ReadonlyMap<string, EntityDefinition>,
  cache: StateCache,
  store: EventStore,
  parked: ReadonlySet<string>,
): Promise<FoldedPage> {
  const work = new Map<string, Work>()
  for (const event of events) {
    const entity = entities.get(event.actorType)
    if (entity === undefined) continue
    const key = `${event.actorType}/${event.actorId}`
    const known = work.get(key)
    if (known !== undefined) known.events.push(event)
    else if (!parked.has(key))
      work.set(key, { entity, ref: { type: event.actorType, id: event.actorId }, events: [event] })
  }

  const actors = new Map<string, FoldedActor>()
  const failures: FoldFailure[] = []
  const missing: [string, Work][] = []
  const finish = (key: string, item: Work, start: FoldedActor | undefined) => {
    const folded = foldActor(item, start)
    if ('error' in folded) failures.push(folded)
    else actors.set(key, folded)
  }
  for (const [key, item] of work) {
    const first = item.events[0]?.version ?? 1
    const start = cache.get(key)
    if (first === 1) finish(key, item, undefined)
    else if (start?.version === first - 1) finish(key, item, start)
    else missing.push([key, item])
  }
  const load = async () => {
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      const [key, item] = next
      const before = await loadBefore(store, item)
      if (before !== undefined && 'error' in before) failures.push(before)
      else finish(key, item, before)
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL_LOADS, missing.length) }, load))
  return { actors, failures }
}

/** What the folded actors change in the read tables. */
export function tableChanges(actors: Iterable<FoldedActor>): {
  readonly changes: readonly TableChange[]
  readonly failures: readonly FoldFailure[]
} {
  const changes = new Map<View, TableChange>()
  const failures: FoldFailure[] = []
  for (const { entity, ref, state } of actors) {
    const { view } = entity
    if (view === undefined) continue
    let change = changes.get(view)
    if (change === undefined) {
      change = { view, rows: [], gone: [] }
      changes.set(view, change)
    }
    try {
      const row = view.row(ref.id, state)
      if (row === null) change.gone.push(ref.id)
      else change.rows.push(row)
    } catch (error) {
      failures.push({ ref, position: 0, error: String(error) })
    }
  }
  return { changes: [...changes.values()], failures }
}

function foldActor({ entity, ref, events }: Work, start: FoldedActor | undefined): FoldedActor | FoldFailure {
  let state = start?.state ?? initialState(entity)
  let version = start?.version ?? 0
  for (const event of events)
    try {
      if (event.version !== version + 1)
        throw new Error(`version ${event.version} follows version ${version} of ${formatActorRef(ref)}`)
      state = fold(entity, state, event)
      version = event.version
    } catch (error) {
      return { ref, position: event.position, error: String(error) }
    }
  return { entity, ref, version, state }
}

async function loadBefore(
  store: EventStore,
  { entity, ref, events }: Work,
): Promise<FoldedActor | FoldFailure | undefined> {
  const to = (events[0]?.version ?? 1) - 1
  let folded: FoldedActor | undefined
  for await (const chunk of store.readStream(ref, { to })) {
    const next = foldActor({ entity, ref, events: [...chunk] }, folded)
    if ('error' in next) return next
    folded = next
  }
  return folded
}
