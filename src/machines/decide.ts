/** The only caller of a machine's transition: pure decisions and folds over `{value, context}`. */
import { type AnyMachineSnapshot, type AnyStateMachine, createActor } from 'xstate'
import { AppError } from '../core/errors.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { sealedPart } from '../core/personal.ts'
import type { TimerSet } from '../core/ports.ts'
import { type ActorState, formatStateValue } from '../core/state.ts'
import type { EntityDefinition, EventDefinition } from './define.ts'
import { type CapturedAction, NOT_PLAIN, plainStep } from './plain-step.ts'
import { restingSnapshot } from './resting-snapshot.ts'

/** An event as the machine sees it: data flat beside its type and time. */
export type StampedEvent = { readonly type: string; readonly at: string } & JsonObject

export interface Decision {
  readonly state: ActorState
  readonly timers: readonly TimerSet[]
  readonly cancels: readonly string[]
  readonly effects: readonly EffectStart[]
}

export interface EffectStart {
  /** Id of the invoked actor. */
  readonly name: string
  /** Which of the entity's effects. */
  readonly src: string
  readonly input: JsonObject
}

/** Name of the durable timer that runs an unfinished effect again. */
export function effectTimer(name: string): string {
  return `effect:${name}`
}

/** How long an effect may take before another try. */
export const EFFECT_RETRY_MS = 30_000

/** State of an actor that has no events. */
export function initialState(entity: EntityDefinition): ActorState {
  const { value, context } = inert(entity.machine).initial
  return { value, context }
}

/**
 * What the event leads to, or undefined where the state does not take it.
 * Pure: same state and event, same decision. Throws what a guard or assign throws: that is a bug in the machine.
 */
export function decide(entity: EntityDefinition, state: ActorState, event: StampedEvent): Decision | undefined {
  const { actions } = inert(entity.machine)
  const step = take(entity, state, event, actions)
  if (step === undefined) return undefined
  const { next, left } = step
  if (left.length === 0 && actions.length === 0) return { state: next, timers: NONE, cancels: NONE, effects: NONE }
  return { state: next, ...plan(left, actions.splice(0), event.at) }
}

/** @param actions emptied, then what is to be done */
function take(
  { machine }: EntityDefinition,
  state: ActorState,
  event: StampedEvent,
  actions: CapturedAction[],
): { readonly next: ActorState; readonly left: readonly string[] } | undefined {
  actions.length = 0
  const step = plainStep(machine, state, event, actions)
  if (step === undefined) return undefined
  if (step !== NOT_PLAIN) return { next: step, left: NONE }
  actions.length = 0
  const { scope } = inert(machine)
  const before = restingSnapshot(machine, state)
  const after = machine.transition(before, event, scope)
  if (after === before) return undefined
  return { next: { value: after.value, context: after.context }, left: leftInvokes(before, after) }
}

const NONE: readonly never[] = []

/**
 * The state after an event of the log. Throws AppError `history_drift` where today's machine does not take it or ends
 * elsewhere than was recorded, `schema_mismatch` where newer code wrote it, `unknown_type`.
 */
export function fold(entity: EntityDefinition, state: ActorState, event: RecordedEvent): ActorState {
  const { actions } = inert(entity.machine)
  const next = take(entity, state, stamp(event.type, event.at, upcast(entity, event)), actions)?.next
  const found = next === undefined ? undefined : formatStateValue(next.value)
  if (next !== undefined && found === event.state) return next
  throw new AppError(
    'history_drift',
    `${event.actorType}/${event.actorId} version ${event.version} (${event.type}, position ${event.position}) led to '${event.state}' ` +
      `when it was written; with this code ${found === undefined ? `it is not allowed in '${formatStateValue(state.value)}'` : `it leads to '${found}'`}. ` +
      'The log is unchanged. Restore the transition, or give the event a new version and an upcaster.',
    { details: { position: event.position, recorded: event.state, recomputed: found ?? null } },
  )
}

/** The data of a stored event in the shape of its newest schema version. Throws AppError `schema_mismatch`, `unknown_type`. */
export function upcast(entity: EntityDefinition, event: RecordedEvent): JsonObject {
  // Folded as it is stored, it would lead to a state that lacks what is sealed.
  if (sealedPart(event.data) !== undefined) throw new Error(`${event.type} was read past the port that opens it`)
  const definition = eventDefinition(entity, event.type)
  if (event.schemaVersion > definition.version) throw newerThanCode(event, definition.version)
  let data = event.data
  for (let version = event.schemaVersion; version < definition.version; version++) {
    const step = definition.upcasters[version]
    if (step === undefined) throw new Error(`${event.type} has no upcaster from version ${version}`)
    data = step(data)
  }
  return data
}

/** What newer code meant by its data, this code cannot know: a guess would be shown, and decided on, as the truth. */
function newerThanCode({ actorType, actorId, version, type, position, schemaVersion }: RecordedEvent, known: number) {
  return new AppError(
    'schema_mismatch',
    `${actorType}/${actorId} version ${version} (${type}, position ${position}) was written by newer code, with schema version ` +
      `${schemaVersion}; this code knows it up to ${known}. The log is unchanged and nothing was lost. Upgrade this node.`,
    { details: { position, schemaVersion, known } },
  )
}

/** Throws AppError `unknown_type`. */
export function eventDefinition(entity: EntityDefinition, type: string): EventDefinition {
  const definition = Object.hasOwn(entity.events, type) ? entity.events[type] : undefined
  if (definition !== undefined) return definition
  throw new AppError(
    'unknown_type',
    `${entity.type} has no event '${type}'. It has: ${Object.keys(entity.events).join(', ')}.`,
  )
}

export function stamp(type: string, at: string, data: JsonObject): StampedEvent {
  return { ...data, type, at }
}

const allowedIn = new WeakMap<EntityDefinition, Map<string, readonly string[]>>()

/** Event types the state takes from outside; guards are not asked. Throws where the machine has no such state. */
export function allowedEvents(entity: EntityDefinition, state: ActorState): readonly string[] {
  let known = allowedIn.get(entity)
  if (known === undefined) {
    known = new Map()
    allowedIn.set(entity, known)
  }
  // They follow from the value alone, of which a machine has few, and each read is shown them.
  const key = formatStateValue(state.value)
  let allowed = known.get(key)
  if (allowed === undefined) {
    const snapshot = restingSnapshot(entity.machine, state)
    const names = new Set(snapshot._nodes.flatMap((node: { ownEvents: readonly string[] }) => node.ownEvents))
    allowed = Object.freeze(
      Object.keys(entity.events).filter(type => names.has(type) && !entity.events[type]?.internal),
    )
    known.set(key, allowed)
  }
  return allowed
}

// XState hands actions to the scope it is given. One inert scope a machine, reused, costs 2 µs a transition where the
// exported `transition()` builds an actor each time (14 µs). Nothing in it is ever started.
interface Inert {
  readonly scope: Parameters<AnyStateMachine['transition']>[2]
  readonly actions: CapturedAction[]
  readonly initial: ActorState
}
const inertScopes = new WeakMap<AnyStateMachine, Inert>()

function inert(machine: AnyStateMachine): Inert {
  const known = inertScopes.get(machine)
  if (known !== undefined) return known
  const self = createActor(machine)
  const actions: CapturedAction[] = []
  const scope = {
    self,
    id: '',
    sessionId: '',
    system: self.system,
    logger: () => {},
    defer: () => {},
    emit: () => {},
    stopChild: () => {},
    actionExecutor: (action: CapturedAction) => actions.push(action),
  } as unknown as Inert['scope']
  const { value, context } = self.getSnapshot()
  const made: Inert = { scope, actions, initial: { value, context } }
  inertScopes.set(machine, made)
  return made
}

/** Ids of the actors invoked by states that were left. XState's own stop action names none: a restored state has no children. */
function leftInvokes(before: AnyMachineSnapshot, after: AnyMachineSnapshot): readonly string[] {
  if (before.value === after.value) return NONE
  return before._nodes.filter(node => !after._nodes.includes(node)).flatMap(node => node.invoke.map(({ id }) => id))
}

/** Turns XState's built-in actions into durable timers and effects. Later changes of the same name win. */
function plan(left: readonly string[], actions: readonly CapturedAction[], at: string): Omit<Decision, 'state'> {
  const timers = new Map<string, TimerSet>()
  const cancels = new Set(left.map(effectTimer))
  const effects = new Map<string, EffectStart>()
  const cancel = (name: string) => {
    timers.delete(name)
    cancels.add(name)
  }
  const set = (timer: TimerSet) => {
    cancels.delete(timer.name)
    timers.set(timer.name, timer)
  }
  const due = (ms: number) => new Date(Date.parse(at) + ms).toISOString()

  for (const { type, params } of actions) {
    const given = (params ?? {}) as {
      id?: string
      delay?: number
      event?: JsonObject
      sendId?: string
      src?: string
      input?: Json
      actorRef?: { readonly id: string }
    }
    if (type === 'xstate.raise' && given.delay !== undefined) {
      if (given.id === undefined || given.event === undefined)
        throw new Error('a delayed raise needs an id, so that it can be cancelled')
      // The type of a machine's events demands a time; the real one is stamped when the event is sent.
      const { at: _, ...payload } = given.event
      set({ name: given.id, kind: 'event', dueAt: due(given.delay), payload })
    } else if (type === 'xstate.cancel' && given.sendId !== undefined) {
      cancel(given.sendId)
    } else if (type === 'xstate.spawnChild' && given.actorRef !== undefined && given.src !== undefined) {
      // `id` may still be a function here; the actor XState made, which is never started, has it worked out.
      const start = { name: given.actorRef.id, src: given.src, input: (given.input ?? {}) as JsonObject }
      effects.set(start.name, start)
      set({ name: effectTimer(start.name), kind: 'effect', dueAt: due(EFFECT_RETRY_MS), payload: { ...start } })
    }
  }
  return { timers: [...timers.values()], cancels: [...cancels], effects: [...effects.values()] }
}
