/**
 * The hot path of every decision and fold: the steps that only assign, taken without XState's interpreter.
 *
 * Nearly every event meets an atomic state at the top of its machine, passes a guard or has none, assigns to the context
 * and stays or goes to another such state. What XState would do there is known when the machine is: it is looked up once,
 * and costs a tenth of the interpreter's time and garbage. Anything else is `NOT_PLAIN`, and XState's to decide.
 * `tests/machines/plain-step.test.ts` holds both to the same answers.
 */
import { type AnyStateMachine, type AnyStateNode, type AnyTransitionDefinition, assign } from 'xstate'
import type { ActorState } from '../core/state.ts'

/** A step that XState has to take. */
export const NOT_PLAIN = Symbol('not plain')

interface Arguments {
  readonly context: object
  readonly event: { readonly type: string }
}
type Guard = (args: Arguments) => boolean
type Assigner = object | ((args: object) => object)

interface PlainTransition {
  readonly guard: Guard | undefined
  readonly assigners: readonly Assigner[]
  /** The state afterwards. */
  readonly value: string
}
/** For each event type that a state takes: its transitions, the first whose guard passes is taken. */
type PlainState = ReadonlyMap<string, readonly PlainTransition[] | typeof NOT_PLAIN>

const known = new WeakMap<AnyStateMachine, ReadonlyMap<string, PlainState>>()

/** The state after the event, undefined where the state does not take it. Throws what a guard or an assigner throws. */
export function plainStep(
  machine: AnyStateMachine,
  { value, context }: ActorState,
  event: { readonly type: string },
): ActorState | undefined | typeof NOT_PLAIN {
  let states = known.get(machine)
  if (states === undefined) {
    states = plainStates(machine)
    known.set(machine, states)
  }
  const state = typeof value === 'string' ? states.get(value) : undefined
  if (state === undefined) return NOT_PLAIN
  const transitions = state.get(event.type)
  if (transitions === undefined || transitions === NOT_PLAIN) return transitions
  for (const { guard, assigners, value: next } of transitions)
    if (guard === undefined || guard({ context, event }))
      return { value: next, context: assigned(assigners, context, event) }
  return undefined
}

function assigned(assigners: readonly Assigner[], before: ActorState['context'], event: object): ActorState['context'] {
  let context = before
  for (const assigner of assigners) {
    const args = { context, event, spawn }
    if (typeof assigner === 'function') {
      context = { ...context, ...assigner(args) }
    } else {
      const changes: Record<string, unknown> = {}
      for (const [key, change] of Object.entries(assigner))
        changes[key] = typeof change === 'function' ? change(args) : change
      context = { ...context, ...(changes as ActorState['context']) }
    }
  }
  return context
}

function spawn(): never {
  throw new Error('an assign cannot spawn: nothing would run the actor. Use the action spawnChild.')
}

/** The plain states of a machine by their value; none where anything outside of them could have a say. */
function plainStates(machine: AnyStateMachine): ReadonlyMap<string, PlainState> {
  const { root } = machine
  const states = new Map<string, PlainState>()
  if (root.type !== 'compound' || root.transitions.size > 0 || root.always !== undefined) return states
  for (const node of Object.values(root.states)) {
    const events = [...node.transitions]
    if (!isPlain(node) || events.some(([type]) => type.includes('*'))) continue
    states.set(
      node.key,
      new Map(
        events.map(([type, transitions]) => {
          const plain = transitions.map(transition => plainTransition(node, transition))
          return [type, plain.includes(undefined) ? NOT_PLAIN : (plain as readonly PlainTransition[])]
        }),
      ),
    )
  }
  return states
}

/** At the top of the machine, without states within, and left by events alone. */
function isPlain(node: AnyStateNode): boolean {
  return node.type === 'atomic' && node.parent?.parent === undefined && node.always === undefined
}

function plainTransition(source: AnyStateNode, transition: AnyTransitionDefinition): PlainTransition | undefined {
  const { guard, actions, target: targets, reenter } = transition
  const [target = source] = targets ?? []
  const inPlace = target === source
  // XState takes a transition that does nothing for none.
  if (reenter || (targets?.length ?? 0) > 1 || (inPlace && actions.length === 0)) return undefined
  if (!inPlace && (!isPlain(target) || target.entry.length > 0 || target.invoke.length > 0)) return undefined
  if (!inPlace && (source.exit.length > 0 || source.invoke.length > 0)) return undefined
  if (guard !== undefined && (typeof guard !== 'function' || 'check' in guard)) return undefined
  const assigners = actions.map(assignerOf)
  if (assigners.includes(undefined)) return undefined
  return { guard: guard as Guard | undefined, assigners: assigners as readonly Assigner[], value: target.key }
}

/** What XState's `assign` was given; undefined where the action is another. */
function assignerOf(action: unknown): Assigner | undefined {
  const sample = assign({}) as unknown as BuiltIn
  const { resolve, assignment } = (typeof action === 'function' ? action : {}) as Partial<BuiltIn>
  return resolve === sample.resolve ? assignment : undefined
}

/** XState's own actions are functions that carry what they are made of. */
interface BuiltIn {
  readonly resolve: unknown
  readonly assignment: Assigner
}
