/** The entity contract: a machine, its events, its read table and what the runtime must know of it, in one typed value. */

import type { AnyStateMachine } from 'xstate'
import type { z } from 'zod'
import type { ActorRef } from '../core/ids.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Claim } from '../core/ports.ts'
import type { ActorState } from '../core/state.ts'
import type { LiveDefinition } from './live-fields.ts'
import type { MergeRules } from './merge-rules.ts'
import type { PersonalDefinition } from './personal.ts'

/** Rewrites the data of one schema version into the next. */
export type Upcaster = (data: JsonObject) => JsonObject

/** For a version that only added optional fields: the older data is valid as it is. */
export const unchanged: Upcaster = data => data

export interface EventDefinition<Schema extends z.ZodObject = z.ZodObject> {
  /** Version new events are written with; starts at 1. */
  readonly version: number
  readonly schema: Schema
  /** `upcasters[v]` turns data of version v into v + 1; one for each version below `version`. */
  readonly upcasters: Readonly<Record<number, Upcaster>>
  /** Only the runtime may send it: due timers, ends of effects, imports. */
  readonly internal: boolean
}

/** Declares one event. Keys `type` and `at` are the envelope's and cannot be in the schema. */
export function event<Schema extends z.ZodObject>(
  version: number,
  schema: Schema,
  options: { upcasters?: Readonly<Record<number, Upcaster>>; internal?: boolean } = {},
): EventDefinition<Schema> {
  for (const reserved of ['type', 'at'])
    if (reserved in schema.shape) throw new Error(`an event schema cannot have the key '${reserved}'`)
  for (let v = 1; v < version; v++)
    if (options.upcasters?.[v] === undefined) throw new Error(`version ${version} needs an upcaster from version ${v}`)
  return {
    version,
    schema: schema.strict() as unknown as Schema,
    upcasters: options.upcasters ?? {},
    internal: options.internal ?? false,
  }
}

export type EventDefinitions = Readonly<Record<string, EventDefinition>>

// zod calls the output of an empty object a record of nothing, which would forbid `type` and `at` too.
type DataOf<Schema extends z.ZodObject> = z.output<Schema> extends Record<string, never> ? unknown : z.output<Schema>

/** What the machine of an entity receives: the data flat, with its type and the time the shell stamped (ISO 8601, UTC). */
export type MachineEvent<Events extends EventDefinitions> = {
  [Type in keyof Events & string]: { readonly type: Type; readonly at: string } & DataOf<Events[Type]['schema']>
}[keyof Events & string]

/** A row of a read table; timestamps as ISO text, bigint columns as numbers, json columns as values. */
export type Row = Readonly<Record<string, Json>>

/** How the state of an actor shows in a read table: one row with `id` = the actor's id, or none. */
export interface View {
  readonly table: string
  /** Column → Postgres type, in table order, `id` first. */
  readonly columns: Readonly<Record<string, string>>
  /** Columns that a table of 24.2 does not have: imported rows come without them. */
  readonly added?: readonly string[]
  /** Pure. Null where the actor has no row (not created, deleted). */
  row(id: number, state: ActorState): Row | null
}

/** What an effect may do: everything by command ids made from its key, so that running it again changes nothing. */
export interface EffectContext {
  readonly actor: ActorRef
  /** The same for each run of this effect start; make command ids from it. */
  readonly key: string
  readonly input: JsonObject
  /** Creates an actor with this first event, or finds the one this command id created. */
  create(type: string, event: OutgoingEvent, commandId: string): Promise<ActorRef>
  /** Sends an event; a refusal is an answer, not an error. */
  send(actor: ActorRef, event: OutgoingEvent, commandId: string): Promise<{ readonly ok: boolean }>
  /** Sends what lost of a set that was contested, as a change of the set that the actor has by now. */
  sendLost(actor: ActorRef, event: OutgoingEvent, commandId: string): Promise<{ readonly ok: boolean }>
  /** Destroys the key of a user: what the log says of that user cannot be read again. Doing it again changes nothing. */
  destroyPersonalKey(user: number): Promise<void>
  /** Ids of actors in the read table whose column has this value, as of at least the event that started the effect. */
  findInReadTable(table: string, column: string, value: Json): Promise<readonly number[]>
}

export type OutgoingEvent = { readonly type: string } & JsonObject

/** Runs after the event is durable. What it resolves to is sent back to the actor as an event and ends the effect. */
export type Effect = (context: EffectContext) => Promise<OutgoingEvent | undefined>

export interface EntityDefinition {
  readonly type: string
  readonly machine: AnyStateMachine
  readonly events: EventDefinitions
  readonly view?: View
  /** Names only one actor may hold, as of this state. Keys are compared as given. */
  claims(state: ActorState): readonly Claim[]
  /** Actors that must exist and not be gone for this event to be taken. */
  references(event: { readonly type: string } & JsonObject): readonly { readonly type: string; readonly id: number }[]
  /** Implementations of the machine's invoked and spawned actors, by src. */
  readonly effects: Readonly<Record<string, Effect>>
  /** States (top level) in which the actor counts as gone: nothing may refer to it any more. */
  readonly goneIn: readonly string[]
  /**
   * States, as they are shown, that permit somebody something: a read that would tell one of them without the log fails,
   * for it may have been ended there.
   */
  readonly grantsIn: readonly string[]
  /** Raise it when the shape of the context changes: older snapshots are dropped and replayed. */
  readonly stateVersion: number
  /** Events between snapshots. */
  readonly snapshotEvery: number
  /** Idle time after which the actor leaves memory. */
  readonly passivateAfterMs: number
  /** Runs under a lease `actor:type/id`, every append fenced by its token. */
  readonly singleOwner: boolean
  /** Largest id its read table can hold. */
  readonly maxId: number
  /** Figures that change many times a second and reach the log only now and then. */
  readonly live?: LiveDefinition
  /** What of its events is about people: it is sealed in the log, and goes with their keys. */
  readonly personal?: PersonalDefinition
  /** Events that may be accepted while the log is away, and how each is brought into it afterwards. */
  readonly merge: MergeRules
}

type EntityOptions = Pick<EntityDefinition, 'type' | 'machine' | 'events'> & Partial<EntityDefinition>

/** Completes an entity with the defaults. Throws on a definition that cannot work. */
export function defineEntity(options: EntityOptions): EntityDefinition {
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(options.type)) throw new Error(`bad entity type '${options.type}'`)
  for (const name of Object.keys(options.events))
    if (!/^[a-z][a-z0-9.-]{0,80}$/.test(name)) throw new Error(`bad event type '${name}'`)
  for (const name of Object.keys(options.merge ?? {}))
    if (!(name in options.events)) throw new Error(`a merge rule for '${name}', which is no event of ${options.type}`)
  for (const name of Object.keys(options.personal?.fields ?? {}))
    if (!(name in options.events)) throw new Error(`personal fields of '${name}', which is no event of ${options.type}`)
  return {
    claims: () => [],
    references: () => [],
    effects: {},
    goneIn: ['deleted'],
    grantsIn: [],
    stateVersion: 1,
    snapshotEvery: 100,
    passivateAfterMs: 5 * 60_000,
    singleOwner: false,
    maxId: Number.MAX_SAFE_INTEGER,
    merge: {},
    ...options,
  }
}
