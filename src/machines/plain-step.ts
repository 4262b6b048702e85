/**
 * The hot path of every decision and fold: the steps that only assign and set timers, taken without XState's interpreter.
 *
 * Nearly every event meets an atomic state at the top of its machine, passes a guard or has none, assigns to the context,
 * raises something later or takes that back, and stays or goes to another such state. What XState would do there is known
 * when the machine is: it is looked up once, and costs a tenth of the interpreter's time and garbage. Anything else is
 * `NOT_PLAIN`, and XState's to decide. `tests/machines/plain-step.test.ts` holds both to the same answers.
 */
import { type AnyStateMachine, type AnyStateNode, type AnyTransitionDefinition, assign, cancel, raise } from 'xstate'
import type { ActorState } from '../core/state.ts'

/** A step that XState has to take. */
export const NOT_PLAIN = Symbol('not plain')

interface Arguments {
  readonly context: object
  readonly event: { readonly type: string }
}
type Guard = (args: Arguments) => boolean
type Assigner = object | ((args: object) => object)
type Delay = number | ((args: object) => unknown)

/** What XState wants done, as its interpreter hands it out. */
export interface CapturedAction {
  readonly type: string
  readonly params?: unknown
}

type PlainAction =
  | { readonly kind: 'assign'; readonly assigner: Assigner }
  | { readonly kind: 'raise'; readonly event: object; readonly id: string | undefined; readonly delay: Delay }
  | { readonly kind: 'cancel'; readonly captured: CapturedAction }

interface PlainTransition {
  readonly guard: Guard | undefined
  /** Of leaving, of the transition and of entering. */
  readonly actions: readonly PlainAction[]
  /** The state afterwards. */
  readonly value: string
}
/** For each event type that a state takes: its transitions, the first whose guard passes is taken. */
type PlainState = ReadonlyMap<string, readonly PlainTransition[] | typeof NOT_PLAIN>

const known = new WeakMap<AnyStateMachine, ReadonlyMap<string, PlainState>>()

/**
 * The state after the event, undefined where the state does not take it. Throws what a guard or an assigner throws.
 * @param captured what is to be done is added to it; where the answer is `NOT_PLAIN`, it means nothing
 */
export function plainStep(
  machine: AnyStateMachine,
  { value, context }: ActorState,
  event: { readonly type: string },
  captured: CapturedAction[],
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
  for (const { guard, actions, value: next } of transitions)
    if (guard === undefined || guard({ context, event })) {
      const after = acted(actions, context, event, captured)
      return after === NOT_PLAIN ? NOT_PLAIN : { value: next, context: after }
    }
  return undefined
}

function acted(
  actions: readonly PlainAction[],
  before: ActorState['context'],
  event: object,
  captured: CapturedAction[],
): ActorState['context'] | typeof NOT_PLAIN {
  let context = before
  for (const action of actions)
    if (action.kind === 'assign') context = assigned(action.assigner, context, event)
    else if (action.kind === 'cancel') captured.push(action.captured)
    else {
      const delay = typeof action.delay === 'function' ? action.delay({ context, event }) : action.delay
      // Without one it is raised at once, which is another step.
      if (typeof delay !== 'number') return NOT_PLAIN
      captured.push({ type: 'xstate.raise', params: { event: action.event, id: action.id, delay } })
    }
  return context
}

function assigned(assigner: Assigner, context: ActorState['context'], event: object): ActorState['context'] {
  const args = { context, event, spawn }
  if (typeof assigner === 'function') return { ...context, ...assigner(args) }
  const changes: Record<string, unknown> = {}
  for (const [key, change] of Object.entries(assigner))
    changes[key] = typeof change === 'function' ? change(args) : change
  return { ...context, ...(changes as ActorState['context']) }
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
          const plain = transitions.map(transition => plainTransition(machine, node, transition))
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

function plainTransition(
  machine: AnyStateMachine,
  source: AnyStateNode,
  transition: AnyTransitionDefinition,
): PlainTransition | undefined {
  const { guard, actions, target: targets, reenter } = transition
  const [target = source] = targets ?? []
  const inPlace = target === source
  if (reenter || (targets?.length ?? 0) > 1) return undefined
  if (!inPlace && (!isPlain(target) || target.invoke.length > 0 || source.invoke.length > 0)) return undefined
  if (guard !== undefined && (typeof guard !== 'function' || 'check' in guard)) return undefined
  const all = inPlace ? actions : [...source.exit, ...actions, ...target.entry]
  const plain = all.map(action => plainAction(machine, action))
  if (plain.includes(undefined)) return undefined
  // XState takes a transition that changes nothing for none, whatever else it would do.
  if (inPlace && !plain.some(action => action?.kind === 'assign')) return undefined
  return { guard: guard as Guard | undefined, actions: plain as readonly PlainAction[], value: target.key }
}

const SAMPLES = {
  assign: resolverOf(assign({})),
  raise: resolverOf(raise({ type: 'sample' })),
  cancel: resolverOf(cancel('sample')),
}

/** What XState's `assign`, `raise` with a delay, or `cancel` was given; undefined where the action is another. */
function plainAction({ implementations }: AnyStateMachine, action: unknown): PlainAction | undefined {
  const { resolve, ...given } = builtIn(action)
  if (resolve === undefined) return undefined
  if (resolve === SAMPLES.assign) return { kind: 'assign', assigner: given.assignment as Assigner }
  if (resolve === SAMPLES.cancel && typeof given.sendId === 'string')
    return { kind: 'cancel', captured: { type: 'xstate.cancel', params: { sendId: given.sendId } } }
  if (resolve !== SAMPLES.raise || typeof given.event !== 'object' || given.event === null) return undefined
  const delays = implementations.delays as Readonly<Record<string, unknown>>
  const delay = typeof given.delay === 'string' ? delays[given.delay] : given.delay
  if (typeof delay !== 'number' && typeof delay !== 'function') return undefined
  return { kind: 'raise', event: given.event, id: given.id as string | undefined, delay: delay as Delay }
}

function resolverOf(action: unknown): unknown {
  return builtIn(action).resolve
}

/** XState's own actions are functions that carry what they are made of. */
interface BuiltIn {
  readonly resolve: unknown
  readonly assignment: unknown
  readonly event: unknown
  readonly id: unknown
  readonly delay: unknown
  readonly sendId: unknown
}

function builtIn(action: unknown): Partial<BuiltIn> {
  return typeof action === 'function' ? { ...(action as unknown as BuiltIn) } : {}
}
