/** The model: what is known of all actors, after each event of the log. Immutable, so that earlier ones can be asked too. */
import type { LogEvent } from '../../src/core/event.ts'
import { type Facts, isGone, namesOf, transition } from './rules.ts'

/** An actor as an event left it. The event is as it was given, however it is read since. */
export interface Step {
  readonly event: LogEvent
  readonly state: string
  readonly facts: Facts
}

export interface World {
  /** By `type/id`, the steps of each actor: its version is how many there are. */
  readonly actors: ReadonlyMap<string, readonly Step[]>
  /** By command id. */
  readonly spent: ReadonlyMap<string, LogEvent>
  /** Of the last event. */
  readonly position: number
}

export const EMPTY: World = { actors: new Map(), spent: new Map(), position: 0 }

export interface Standing {
  readonly version: number
  readonly state: string
  readonly facts: Facts
  readonly names: readonly string[]
}

/** The step that an event of the log made, however the event is read. */
export function stepOf(world: World, { actorType, actorId, version }: LogEvent): Step | undefined {
  return world.actors.get(`${actorType}/${actorId}`)?.[version - 1]
}

/** @param id undefined for an actor that is to be created */
export function standing(world: World, type: string, id: number | undefined, version?: number): Standing {
  const steps = world.actors.get(`${type}/${id}`) ?? []
  const at = version ?? steps.length
  const { state, facts } = steps[at - 1] ?? { state: 'absent', facts: {} }
  return { version: at, state, facts, names: namesOf(type, state, facts) }
}

export function idsOf(world: World, type: string): readonly number[] {
  return [...world.actors.keys()].filter(key => key.startsWith(`${type}/`)).map(key => Number(key.split('/')[1]))
}

/** All names that are held, with their holders. */
export function heldNames(world: World): ReadonlyMap<string, string> {
  const held = new Map<string, string>()
  for (const key of world.actors.keys()) {
    const [type = '', id] = key.split('/')
    for (const name of standing(world, type, Number(id)).names) held.set(name, key)
  }
  return held
}

export function isThere(world: World, type: string, id: number): boolean {
  const { version, state } = standing(world, type, id)
  return version > 0 && !isGone(state)
}

/** The world after an event of the log. Throws where the event cannot have been taken there. */
export function after(world: World, event: LogEvent): World {
  const key = `${event.actorType}/${event.actorId}`
  const steps = world.actors.get(key) ?? []
  const before = standing(world, event.actorType, event.actorId)
  const next = transition(event.actorType, before, event.type, event.data, event.at)
  const wrong = (why: string) => new Error(`${why}: ${JSON.stringify(event)} after ${JSON.stringify(before)}`)
  if (next === undefined) throw wrong('the log has an event that its state does not take')
  if (next.state !== event.state) throw wrong(`the state should be '${next.state}'`)
  if (event.version !== before.version + 1) throw wrong('a version is missing or doubled')
  if (event.position <= world.position) throw wrong('positions do not grow')
  if (event.at < (steps.at(-1)?.event.at ?? '')) throw wrong('time went back')
  if (event.commandId !== null && world.spent.has(event.commandId)) throw wrong('a command id was spent twice')
  return {
    actors: new Map(world.actors).set(key, [...steps, { event, ...next }]),
    spent: event.commandId === null ? world.spent : new Map(world.spent).set(event.commandId, event),
    position: event.position,
  }
}
