/** The page of the machines: a state diagram for each entity, and beside it what a diagram has no room for. */
import type { EntityDefinition } from '../../src/machines/define.ts'
import { idOf, type MachineModel, modelOf, type StateModel, type TransitionModel } from './machine-model.ts'
import { code, codes, GENERATED, table } from './markdown.ts'

const LONGEST_GUARD = 40

export function machinesPage(entities: readonly EntityDefinition[]): string {
  return `# Machines

${GENERATED} Source: \`src/machines\`.

An actor begins in its first state and has no events there. Inside a state stand the events that leave it where it is; \`[…]\` is the condition under which an event is taken. A state that leads out of the diagram is one in which the actor is gone: nothing may refer to it any more.

${entities.map(section).join('\n\n')}
`
}

function section(entity: EntityDefinition): string {
  const model = modelOf(entity)
  const parts = [
    `## ${model.type}`,
    `\`\`\`mermaid\n${diagram(model)}\n\`\`\``,
    table(
      ['in', 'event', 'if', 'leads to'],
      model.transitions.map(({ from, event, guard, to }) => [
        from.length === 0 ? 'any state' : code(idOf(from)),
        `${code(event)}${note(model, event)}`,
        guard === undefined || guard === 'otherwise' ? (guard ?? '') : code(guard),
        to === undefined ? '' : code(idOf(to)),
      ]),
    ),
  ]
  const ends = endsOf(model)
  if (ends.length > 0) parts.push(`No event leads out of ${codes(ends)}.`)
  if (model.timers.length > 0)
    parts.push(
      table(
        ['timer', 'sends', 'due after', 'set by', 'cancelled by'],
        model.timers.map(({ name, event, delay, setBy, cancelledBy }) => [
          code(name),
          code(event),
          code(delay),
          setBy.join(', '),
          cancelledBy.join(', '),
        ]),
      ),
    )
  if (model.effects.length > 0)
    parts.push(
      table(
        ['effect', 'started by'],
        model.effects.map(({ name, startedBy }) => [code(name), startedBy.join(', ')]),
      ),
    )
  return parts.join('\n\n')
}

/** Mermaid's stateDiagram-v2. */
export function diagram(model: MachineModel): string {
  const lines = [
    'stateDiagram-v2',
    `  [*] --> ${nodeId(model.initial)}`,
    ...model.states.flatMap(state => stateLines(model, state, '  ')),
    ...edges(model),
    ...model.goneIn
      .filter(name => model.states.some(({ path }) => idOf(path) === name))
      .map(name => `  ${nodeId([name])} --> [*]`),
  ]
  return lines.join('\n')
}

function stateLines(model: MachineModel, state: StateModel, indent: string): readonly string[] {
  const id = nodeId(state.path)
  const title = escaped(state.path.at(-1) ?? '')
  if (state.children.length > 0) {
    const regions = state.children.map(child => stateLines(model, child, `${indent}  `))
    return [
      `${indent}state "${title}" as ${id} {`,
      ...(state.initial === undefined ? [] : [`${indent}  [*] --> ${nodeId(state.initial)}`]),
      ...regions.flatMap((region, i) => (state.kind === 'parallel' && i > 0 ? [`${indent}  --`, ...region] : region)),
      `${indent}}`,
    ]
  }
  const inside = [
    ...model.transitions
      .filter(({ from, to }) => to === undefined && idOf(from) === idOf(state.path))
      .map(label(model)),
    ...state.invokes.map(name => escaped(`runs ${name}`)),
  ]
  return [`${indent}${id} : ${title}`, ...inside.map(text => `${indent}${id} : ${text}`)]
}

/** One arrow between two states, however many events take it. */
function edges(model: MachineModel): readonly string[] {
  const atomic = new Set(
    flatten(model.states).flatMap(state => (state.children.length === 0 ? [idOf(state.path)] : [])),
  )
  const arrows = model.transitions.flatMap(transition => {
    const { from, to } = transition
    // The root has no box: what it takes is drawn at each state.
    if (from.length === 0)
      return to === undefined
        ? []
        : model.states.map(({ path }) => ({ from: path, to, text: label(model)(transition) }))
    if (to === undefined && atomic.has(idOf(from))) return []
    return [{ from, to: to ?? from, text: label(model)(transition) }]
  })
  return [...Map.groupBy(arrows, ({ from, to }) => `${nodeId(from)} --> ${nodeId(to)}`)].map(
    ([arrow, all]) => `  ${arrow} : ${all.map(({ text }) => text).join('<br/>')}`,
  )
}

const label =
  (model: MachineModel) =>
  ({ event, guard }: TransitionModel): string => {
    const condition =
      guard === undefined ? '' : ` [${guard.length > LONGEST_GUARD ? `${guard.slice(0, LONGEST_GUARD)}…` : guard}]`
    return escaped(`${event}${condition}${note(model, event)}`)
  }

function note({ timers, internal }: MachineModel, event: string): string {
  const timer = timers.find(candidate => candidate.event === event)
  if (timer !== undefined) return ` (timer ${timer.name})`
  return internal.has(event) ? ' (internal)' : ''
}

function endsOf({ states, transitions }: MachineModel): readonly string[] {
  return states
    .filter(({ path }) => !transitions.some(({ from }) => from.length === 0 || from[0] === path[0]))
    .map(({ path }) => idOf(path))
}

function flatten(states: readonly StateModel[]): readonly StateModel[] {
  return states.flatMap(state => [state, ...flatten(state.children)])
}

/** Ids of letters, digits and underscores; the prefix keeps them apart from Mermaid's own words, such as `end`. */
function nodeId(path: readonly string[]): string {
  return `s_${path.join('__').replaceAll(/\W/g, '_')}`
}

// A colon or semicolon would end the label, a # begin an entity, and < or > a tag.
function escaped(text: string): string {
  const named: Record<string, string> = { '<': '#lt;', '>': '#gt;', '"': '#quot;' }
  return text.replaceAll(/[#:;<>"{}]/g, found => named[found] ?? `#${found.charCodeAt(0)};`)
}
