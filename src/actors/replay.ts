/** Replays history with the code on disk and says where it would lead elsewhere than it led. */
import { AppError } from '../core/errors.ts'
import { type ActorId, type ActorRef, formatActorRef } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { EventStore } from '../core/ports.ts'
import { type ActorState, canonicalJson } from '../core/state.ts'
import { fold, initialState } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'

export interface Drift {
  readonly actor: string
  /** Of the first event that differs; the actor's later ones are not looked at. */
  readonly position: number
  readonly version: number
  readonly message: string
}

export interface ReplayReport {
  readonly actors: number
  readonly events: number
  readonly drift: readonly Drift[]
  /** Snapshots that were compared with the state replay leads to. */
  readonly snapshots: number
  /** Actors whose snapshot differs; it is dropped and made anew when it is deleted. */
  readonly wrongSnapshots: readonly string[]
}

export interface ReplayOptions {
  readonly store: EventStore
  readonly entities: readonly EntityDefinition[]
  /** One actor; default all of the registry's entities. */
  readonly actor?: ActorRef
  onProgress?(progress: { readonly actors: number; readonly events: number }): void
}

const PAGE = 500

/** Throws AppError `unknown_type`, `not_found` for a single actor, `log_unavailable`. */
export async function checkHistory(options: ReplayOptions): Promise<ReplayReport> {
  const { store, entities, actor } = options
  const tally = { actors: 0, events: 0, drift: [] as Drift[], snapshots: 0, wrongSnapshots: [] as string[] }
  if (actor !== undefined) {
    const entity = entities.find(({ type }) => type === actor.type)
    if (entity === undefined) throw new AppError('unknown_type', `There is no entity '${actor.type}'.`)
    await checkActor(store, entity, actor, tally)
    if (tally.events === 0 && tally.drift.length === 0)
      throw new AppError('not_found', `${formatActorRef(actor)} has no events.`)
    return tally
  }
  for (const entity of entities)
    for (let after = 0; ; ) {
      const page = await store.listActors(entity.type, after, PAGE)
      for (const { id } of page) await checkActor(store, entity, { type: entity.type, id: id as ActorId }, tally)
      options.onProgress?.(tally)
      if (page.length < PAGE) break
      after = page.at(-1)?.id ?? after
    }
  return tally
}

async function checkActor(
  store: EventStore,
  entity: EntityDefinition,
  ref: ActorRef,
  tally: { actors: number; events: number; drift: Drift[]; snapshots: number; wrongSnapshots: string[] },
): Promise<void> {
  tally.actors++
  const snapshot = await store.loadSnapshot(ref).catch(error => {
    if (error instanceof AppError && error.code === 'corrupt_data') tally.wrongSnapshots.push(formatActorRef(ref))
    else throw error
  })
  let state: ActorState = initialState(entity)
  for await (const events of store.readStream(ref))
    for (const event of events) {
      try {
        state = fold(entity, state, event)
      } catch (error) {
        tally.drift.push({
          actor: formatActorRef(ref),
          position: event.position,
          version: event.version,
          message: (error as Error).message,
        })
        return
      }
      tally.events++
      if (snapshot?.version !== event.version || snapshot.stateVersion !== entity.stateVersion) continue
      tally.snapshots++
      // jsonb orders keys its own way.
      if (canonicalJson(snapshot.state as unknown as Json) !== canonicalJson(state as unknown as Json))
        tally.wrongSnapshots.push(formatActorRef(ref))
    }
}
