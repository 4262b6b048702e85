/** What an entity's machine says of itself: states, transitions, timers and effects as plain data. */
import type { AnyStateNode } from 'xstate'
import type { EntityDefinition } from '../../src/machines/define.ts'

export interface StateModel {
  /** Keys from the root inwards. */
  readonly path: readonly string[]
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  readonly initial: readonly string[] | undefined
  readonly children: readonly StateModel[]
  /** Effects that run while the actor is in it. */
  readonly invokes: readonly string[]
}

export interface TransitionModel {
  readonly from: readonly string[]
  readonly event: string
  /** Condition as it is written; `otherwise` for the last of several; undefined where there is none. */
  readonly guard: string | undefined
  /** Undefined where the state stays. */
  readonly to: readonly string[] | undefined
}

export interface TimerModel {
  readonly name: string
  readonly event: string
  readonly delay: string
  readonly setBy: readonly string[]
  readonly cancelledBy: readonly string[]
}

export interface EffectModel {
  readonly name: string
  readonly startedBy: readonly string[]
}

export interface MachineModel {
  readonly type: string
  readonly initial: readonly string[]
  readonly states: readonly StateModel[]
  readonly transitions: readonly TransitionModel[]
  readonly timers: readonly TimerModel[]
  readonly effects: readonly EffectModel[]
  /** Top-level states in which the actor counts as gone. */
  readonly goneIn: readonly string[]
  readonly internal: ReadonlySet<string>
}

/** XState's built-in actions are functions that carry what they do. */
interface Action {
  readonly type?: string
  readonly id?: unknown
  readonly event?: { readonly type: string }
  readonly delay?: unknown
  readonly sendId?: unknown
  readonly src?: unknown
  readonly collect?: unknown
}

export function modelOf(entity: EntityDefinition): MachineModel {
  const { root } = entity.machine
  const nodes = [root, ...descendants(root)]
  const actions = nodes.flatMap(actionsOf)
  const invoked = nodes.flatMap(node =>
    node.invoke.map(({ src }) => ({ name: String(src), by: `being in \`${idOf(node.path)}\`` })),
  )
  return {
    type: entity.type,
    initial: root.initial.target[0]?.path ?? [],
    states: childrenOf(root).map(stateOf),
    transitions: nodes.flatMap(transitionsOf),
    timers: timersOf(entity, actions),
    effects: group([...invoked, ...actions.flatMap(spawned)]).map(([name, startedBy]) => ({ name, startedBy })),
    goneIn: entity.goneIn,
    internal: new Set(Object.keys(entity.events).filter(type => entity.events[type]?.internal)),
  }
}

/** `live` or `live.recording`. */
export function idOf(path: readonly string[]): string {
  return path.join('.')
}

/** A function's body in one line; a name as it is. */
export function brief(condition: unknown): string {
  if (typeof condition !== 'function') return typeOf(condition)
  const text = String(condition)
  const body = text
    .slice(text.indexOf('=>') + 2)
    .replaceAll(/\s+/g, ' ')
    .trim()
  // XState's own and(), or() and not() are functions with a check; a block says too much for one line.
  return 'check' in condition || !text.includes('=>') || body.startsWith('{') ? 'guarded' : body
}

function typeOf(named: unknown): string {
  if (typeof named === 'object' && named !== null && 'type' in named) return String(named.type)
  return String(named)
}

function childrenOf(node: AnyStateNode): readonly AnyStateNode[] {
  return Object.values(node.states as Record<string, AnyStateNode>)
}

function descendants(node: AnyStateNode): readonly AnyStateNode[] {
  return childrenOf(node).flatMap(child => [child, ...descendants(child)])
}

function stateOf(node: AnyStateNode): StateModel {
  return {
    path: node.path,
    kind: node.type,
    initial: node.type === 'compound' ? node.initial.target[0]?.path : undefined,
    children: childrenOf(node).map(stateOf),
    invokes: node.invoke.map(({ src }) => String(src)),
  }
}

function transitionsOf(node: AnyStateNode): readonly TransitionModel[] {
  const eventless = node.always === undefined ? [] : [['(at once)', node.always] as const]
  return [...node.transitions, ...eventless].flatMap(([event, branches]) =>
    branches.map(({ guard, target }, index) => ({
      from: node.path,
      event,
      guard: guard !== undefined ? brief(guard) : index > 0 ? 'otherwise' : undefined,
      to: target?.[0]?.path,
    })),
  )
}

interface Occurrence {
  readonly action: Action
  readonly when: string
}

function actionsOf(node: AnyStateNode): readonly Occurrence[] {
  const of = (actions: readonly unknown[], when: string) => actions.map(action => ({ action: action as Action, when }))
  return [
    ...of(node.entry, `entering \`${idOf(node.path)}\``),
    ...of(node.exit, `leaving \`${idOf(node.path)}\``),
    ...[...node.transitions].flatMap(([event, branches]) =>
      branches.flatMap(({ actions }) => of(actions, `\`${event}\``)),
    ),
  ]
}

function spawned({ action, when }: Occurrence): readonly Named[] {
  return action.type === 'xstate.spawnChild' ? [{ name: String(action.src), by: when }] : []
}

interface TimerChange extends Named {
  readonly event?: string
  readonly delay?: string
}

/** What enqueueActions decides at run time is read from its text: the one place where XState keeps it. */
const RAISED = /\.raise\(\s*\{\s*type: '([^']+)'[^}]*\},\s*\{\s*id: '([^']+)',\s*delay: '?([^'}]+?)'?\s*\}/g
const CANCELLED = /\.cancel\('([^']+)'\)/g

function timerChanges({ action, when }: Occurrence): readonly TimerChange[] {
  if (action.type === 'xstate.raise' && action.delay !== undefined && action.event !== undefined)
    return [{ name: String(action.id), by: when, event: action.event.type, delay: String(action.delay) }]
  if (action.type === 'xstate.cancel') return [{ name: String(action.sendId), by: when }]
  if (action.type !== 'xstate.enqueueActions') return []
  const text = String(action.collect)
  return [
    ...[...text.matchAll(RAISED)].map(([, event = '', name = '', delay = '']) => ({ name, by: when, event, delay })),
    ...[...text.matchAll(CANCELLED)].map(([, name = '']) => ({ name, by: `${when} (conditional)` })),
  ]
}

function timersOf({ machine }: EntityDefinition, actions: readonly Occurrence[]): readonly TimerModel[] {
  const changes = actions.flatMap(timerChanges)
  const sets = changes.filter(({ event }) => event !== undefined)
  const cancels = new Map(group(changes.filter(({ event }) => event === undefined)))
  const delays = machine.implementations.delays as Readonly<Record<string, unknown>>
  return group(sets).map(([name, setBy]) => {
    const { event = '', delay = '' } = sets.find(change => change.name === name) ?? {}
    return {
      name,
      event,
      delay: /^\d+$/.test(delay) ? `${delay} ms` : brief(delays[delay] ?? delay),
      setBy,
      cancelledBy: cancels.get(name) ?? [],
    }
  })
}

interface Named {
  readonly name: string
  readonly by: string
}

function group(found: readonly Named[]): readonly (readonly [name: string, by: readonly string[]])[] {
  return [...Map.groupBy(found, ({ name }) => name)].map(([name, all]) => [name, [...new Set(all.map(({ by }) => by))]])
}
