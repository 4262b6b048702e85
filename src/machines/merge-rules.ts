/** What an entity says of its events that were accepted without the log: how each is brought into what the log says by then. */
import type { JsonObject } from '../core/json.ts'
import type { ActorState } from '../core/state.ts'

/** An event that was accepted without the log, or one of the log's that it did not know of. */
export interface OffsideEvent {
  readonly type: string
  readonly data: JsonObject
  /** Hybrid time, as `formatHybridTime` writes it. */
  readonly clock: string
  readonly node: string
  /** Of an event accepted without the log: what `observe` said of the state it was decided on. */
  readonly observed?: JsonObject
  /** Of an event that the merged one did not know of: whether it knew of the merged one, and is later for that reason. */
  readonly knew?: boolean
}

/** Two values where there is room for one. */
export interface MergeConflict {
  readonly strategy: string
  readonly fields: readonly string[]
  readonly winner: 'log' | 'event'
  /** What the loser wanted these fields to be; of a set, the members in contest alone. */
  readonly loser: JsonObject
  /** Where the event lost some of its fields and won others: what it won. */
  readonly also?: MergeConflict
}

export type Merged =
  /** Append this data; fields that lost are left out. */
  | { readonly outcome: 'applied'; readonly data: JsonObject; readonly conflict?: MergeConflict }
  /** Nothing to append: what it wanted holds already, or lost. */
  | { readonly outcome: 'absorbed'; readonly conflict?: MergeConflict }

export interface MergeInput {
  /** Of the head of the log. */
  readonly state: ActorState
  readonly event: OffsideEvent
  /** Events of the log that are concurrent with it, in order. */
  readonly beside: readonly OffsideEvent[]
}

interface Conditions {
  /** Events that end what this one is about: where one of them is concurrent with it, it is absorbed. */
  readonly endedBy?: readonly string[]
  /** Whether it may be accepted without the log; the state is the one it is decided on. Without this, always. */
  readonly accepts?: (state: ActorState, data: JsonObject) => boolean
}

/** `last`: the last writer's value. `keep-both`: the same, and the other goes to the conflict log. `max`: the larger number. */
export type FieldRule = 'last' | 'keep-both' | 'max'

type Strategy =
  | { readonly strategy: 'lww'; readonly fields: Readonly<Record<string, FieldRule>> }
  | { readonly strategy: 'counter' }
  | { readonly strategy: 'sumByNode'; readonly field: string; readonly read: (state: ActorState) => number }
  | { readonly strategy: 'orSet'; readonly wins: 'add' | 'remove'; readonly field: string; readonly read: ReadSet }
  | { readonly strategy: 'lattice'; readonly order: readonly string[]; readonly to: string }
  | { readonly strategy: 'custom'; readonly merge: (input: MergeInput) => Merged }

type ReadSet = (state: ActorState) => readonly string[]

export type MergeRule = Strategy & Conditions

/** By event type. What is not here is never accepted without the log. */
export type MergeRules = Readonly<Record<string, MergeRule>>

/** Each field for itself: the later hybrid time has it, then the greater node. */
export function lww(fields: Readonly<Record<string, FieldRule>>, conditions: Conditions = {}): MergeRule {
  return { strategy: 'lww', fields, ...conditions }
}

/** Each one counts, in whatever order. */
export function counter(conditions: Conditions = {}): MergeRule {
  return { strategy: 'counter', ...conditions }
}

/** A total that several nodes write: each adds the difference to what it saw. */
export function sumByNode(field: string, read: (state: ActorState) => number, conditions: Conditions = {}): MergeRule {
  return { strategy: 'sumByNode', field, read, ...conditions }
}

/** A set that is written whole: what the writer took out and put in is worked out from what it observed. */
export function orSet(
  field: string,
  read: ReadSet,
  { wins, ...conditions }: Conditions & { readonly wins: 'add' | 'remove' },
): MergeRule {
  return { strategy: 'orSet', wins, field, read, ...conditions }
}

/** States in an order: `to` is taken where the state is below it, and holds already where it is not. */
export function lattice(order: readonly string[], to: string, conditions: Conditions = {}): MergeRule {
  if (!order.includes(to)) throw new Error(`'${to}' is no state of the order ${order.join(' < ')}`)
  return { strategy: 'lattice', order, to, ...conditions }
}

/** A rule of the entity's own. Pure. */
export function custom(merge: (input: MergeInput) => Merged, conditions: Conditions = {}): MergeRule {
  return { strategy: 'custom', merge, ...conditions }
}

/** Whether `a` was written after `b`, as far as their clocks say: a total order. */
export function isLater(a: OffsideEvent, b: OffsideEvent): boolean {
  return a.clock === b.clock ? a.node > b.node : a.clock > b.clock
}
