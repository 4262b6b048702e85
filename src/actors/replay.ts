/** Replays history with the code on disk and says where it would lead elsewhere than it led. */
import { AppError, isErrorCode } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
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
  readonly type: string
  /** State the event led to when it was written. */
  readonly recorded: string
  /** State it leads to now; null where it is not taken at all. */
  readonly recomputed: string | null
  readonly message: string
}

export interface ReplayReport {
  readonly actors: number
  readonly events: number
  /** Actors whose history leads elsewhere. */
  readonly drifted: number
  /** Of these the first hundred, by position: the first entry is the first event of the log that differs. */
  readonly drift: readonly Drift[]
  /** Snapshots that were compared with the state replay leads to. */
  readonly snapshots: number
  /** Actors whose snapshot differs; it is dropped and made anew when it is deleted. */
  readonly wrongSnapshots: readonly string[]
}

export interface ReplayOptions {
  readonly store: Pick<EventStore, 'readStream' | 'listActors' | 'loadSnapshot'>
  readonly entities: readonly EntityDefinition[]
  /** One actor; default all. */
  readonly actor?: ActorRef
  /** Actor types in the log: one that the registry lacks has drifted. Default: those of the registry. */
  readonly types?: readonly string[]
  /** Called after each few hundred actors. */
  onProgress?(progress: { readonly actors: number; readonly events: number }): void
}

interface Tally {
  actors: number
  events: number
  drifted: number
  drift: Drift[]
  snapshots: number
  wrongSnapshots: string[]
}

const PAGE = 500
const MAX_DRIFT = 100
/** Actors read at the same time: while one waits for its events, another is folded. */
const AT_ONCE = 8

/** Throws AppError `unknown_type`, `not_found` for a single actor, `log_unavailable`. */
export async function checkHistory(options: ReplayOptions): Promise<ReplayReport> {
  const { store, entities, actor } = options
  const tally: Tally = { actors: 0, events: 0, drifted: 0, drift: [], snapshots: 0, wrongSnapshots: [] }
  const entityOf = (type: string) => entities.find(entity => entity.type === type)
  if (actor !== undefined) {
    const entity = entityOf(actor.type)
    if (entity === undefined) throw new AppError('unknown_type', `There is no entity '${actor.type}'.`)
    await checkActor(store, entity, actor, tally)
    if (tally.events === 0 && tally.drifted === 0)
      throw new AppError('not_found', `${formatActorRef(actor)} has no events.`)
    return tally
  }
  for (const type of new Set([...entities.map(entity => entity.type), ...(options.types ?? [])]))
    for (let after = 0; ; ) {
      const page = await store.listActors(type, after, PAGE)
      const waiting = page.map(({ id }) => id as ActorId)
      const work = async () => {
        for (let id = waiting.shift(); id !== undefined; id = waiting.shift())
          await checkActor(store, entityOf(type), { type, id }, tally)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      options.onProgress?.(tally)
      if (page.length < PAGE) break
      after = page.at(-1)?.id ?? after
    }
  return tally
}

async function checkActor(
  store: ReplayOptions['store'],
  entity: EntityDefinition | undefined,
  ref: ActorRef,
  tally: Tally,
): Promise<void> {
  tally.actors++
  if (entity === undefined) {
    for await (const [event] of store.readStream(ref, { from: 1, to: 1 }))
      if (event !== undefined)
        addDrift(tally, ref, event, new AppError('unknown_type', `There is no entity '${ref.type}' in this code.`))
    return
  }
  const snapshot = await store.loadSnapshot(ref).catch(error => {
    if (isErrorCode(error, 'corrupt_data')) tally.wrongSnapshots.push(formatActorRef(ref))
    else throw error
  })
  let state: ActorState = initialState(entity)
  for await (const events of store.readStream(ref))
    for (const event of events) {
      try {
        state = fold(entity, state, event)
      } catch (error) {
        addDrift(tally, ref, event, error as Error)
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

/** Code that broke a whole type would make a list as long as the log: the earliest are kept, all are counted. */
function addDrift(tally: Tally, ref: ActorRef, event: LogEvent, error: Error): void {
  tally.drifted++
  const found = error instanceof AppError ? error.details['recomputed'] : undefined
  tally.drift.push({
    actor: formatActorRef(ref),
    position: event.position,
    version: event.version,
    type: event.type,
    recorded: event.state,
    recomputed: typeof found === 'string' ? found : null,
    message: error.message,
  })
  tally.drift.sort((a, b) => a.position - b.position)
  tally.drift.length = Math.min(tally.drift.length, MAX_DRIFT)
}
