/** Steps taken without XState's interpreter are the steps XState takes: of our machines, and of machines made up at random. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AnyStateMachine, assign, cancel, createMachine, not, raise, transition } from 'xstate'
import type { ActorState } from '../../src/core/state.ts'
import { decide, initialState, type StampedEvent, stamp } from '../../src/machines/decide.ts'
import { defineEntity } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { type CapturedAction, NOT_PLAIN, plainStep } from '../../src/machines/plain-step.ts'
import { AT, samples } from './samples.ts'

/** What XState itself says, by its public API: the state, undefined where it stays as it was, and what it wants done. */
function interpreted(machine: AnyStateMachine, state: ActorState, event: StampedEvent) {
  const before = machine.resolveState(state as never)
  const [after, actions] = transition(machine, before, event)
  return { state: after === before ? undefined : { value: after.value, context: after.context }, actions }
}

/** Takes the events one after the other and compares each answer; answers how many steps were plain. */
function walk(machine: AnyStateMachine, start: ActorState, events: readonly StampedEvent[]): number {
  const entity = defineEntity({ type: 'thing', machine, events: {} })
  let state = start
  let plain = 0
  for (const event of events) {
    const before = structuredClone(state)
    const decided = outcome(() => decide(entity, state, event)?.state)
    const expected = outcome(() => interpreted(machine, state, event))
    expect(decided).toEqual(expected instanceof Error ? expected : expected.state)
    if (decided instanceof Error || expected instanceof Error) break
    expect(state).toEqual(before)
    const captured: CapturedAction[] = []
    if (plainStep(machine, state, event, captured) !== NOT_PLAIN) {
      expect(captured.map(wanted)).toEqual(expected.actions.map(wanted))
      plain++
    }
    state = decided ?? state
  }
  return plain
}

function wanted({ type, params }: CapturedAction): CapturedAction {
  return { type, params }
}

/** A machine made at random may raise its own events without end, which XState gives up. */
function outcome<Value>(step: () => Value): Value | Error {
  try {
    return step()
  } catch (error) {
    return error as Error
  }
}

describe('the entities', () => {
  for (const entity of entities)
    test(`${entity.type}: random histories lead where XState leads`, () => {
      const drawn = fc.constantFrom(...Object.keys(entity.events))
      fc.assert(
        fc.property(fc.array(drawn, { minLength: 1, maxLength: 30 }), history => {
          const events = history.map(type => stamp(type, AT, samples[type] ?? expect.unreachable(type)))
          walk(entity.machine, initialState(entity), events)
        }),
        { numRuns: 200 },
      )
    })

  test('what happens often is plain: figures and viewers of a stream, activity of a session, edits of a user', () => {
    const often = {
      stream: { live: ['stream.stats.updated', 'stream.viewers.updated', 'viewer.joined'], idle: ['stream.renamed'] },
      session: { active: ['session.touched'] },
      user: { active: ['user.updated', 'user.login.recorded'] },
    }
    for (const [type, states] of Object.entries(often))
      for (const [value, events] of Object.entries(states))
        for (const event of events) {
          const { machine } = entities.find(entity => entity.type === type) ?? expect.unreachable(type)
          const row = { viewer_count: 0 }
          const answer = plainStep(
            machine,
            { value, context: { row, totalViewers: 0, peakViewers: 0, bytesSent: 0, sessions: [] } },
            stamp(event, AT, samples[event] ?? {}),
            [],
          )
          expect(answer, `${event} in ${value}`).toMatchObject({ value })
        }
  })
})

test('a session begins and ends by plain steps, its timer included', () => {
  const { machine, ...entity } = entities.find(({ type }) => type === 'session') ?? expect.unreachable()
  const begin = stamp('session.created', AT, samples['session.created'] ?? {})
  const set: CapturedAction[] = []
  const began = plainStep(machine, initialState({ machine, ...entity }), begin, set)
  if (began === undefined || began === NOT_PLAIN) return expect.unreachable('it did not begin by one')
  expect([began.value, set.map(({ type }) => type)]).toEqual(['active', ['xstate.raise']])
  const cancelled: CapturedAction[] = []
  const ended = plainStep(machine, began, stamp('session.revoked', AT, {}), cancelled)
  expect(ended).toMatchObject({ value: 'revoked' })
  expect(cancelled.map(wanted)).toEqual([{ type: 'xstate.cancel', params: { sendId: 'expiry' } }])
})

describe('machines made up at random', () => {
  const state = fc.constantFrom('a', 'b', 'c', 'd')
  const assigner = fc.constantFrom(
    assign({ n: ({ context }) => context.n + 1 }),
    assign({ n: 7, m: ({ context, event }) => `${context.m}${event.type}` }),
    assign(({ context }) => ({ m: `${context.n}` })),
    assign({}),
  )
  const other = fc.constantFrom(
    cancel('timer'),
    raise({ type: 'later' }, { id: 'timer', delay: 1_000 }),
    raise({ type: 'later' }, { id: 'timer', delay: 'named' as never }),
    raise({ type: 'later' }, { id: 'other', delay: ({ context }) => context.n * 10 }),
    raise(({ event }) => event, { id: 'timer', delay: 5 }),
    raise({ type: 'at-once' }, { delay: 'unheard-of' as never }),
    raise({ type: 'at-once' }),
    () => {},
  )
  // Nearly plain, or hardly a step would be taken without XState.
  const rarely = <Value>(arbitrary: fc.Arbitrary<Value>) =>
    fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
  const action = fc.oneof({ weight: 6, arbitrary: assigner }, { weight: 2, arbitrary: other })
  const even = ({ context }: { context: { n: number } }) => context.n % 2 === 0
  const transitionConfig = fc.record({
    target: fc.option(state, { nil: undefined }),
    guard: rarely(fc.constantFrom(even, not(even), () => false)),
    actions: fc.array(action, { maxLength: 2 }),
    reenter: rarely(fc.constant(true)),
  })
  const transitions = fc.oneof(transitionConfig, fc.array(transitionConfig, { minLength: 1, maxLength: 3 }))
  const node = fc.record({
    on: fc.record({ one: transitions, two: transitions, 'at-once': rarely(transitions), 'one.*': rarely(transitions) }),
    entry: rarely(action),
    exit: rarely(action),
    always: rarely(
      fc.constant({ guard: ({ context }: { context: { n: number } }) => context.n % 3 === 2, target: 'b' }),
    ),
    type: rarely(rarely(fc.constant('final' as const))),
  })
  const nested = fc.constant({
    initial: 'x',
    states: { x: { on: { one: 'y' } }, y: { on: { one: 'x' } } },
    on: { two: 'a' },
  })
  const states = fc.record({ a: node, b: node, c: node, d: fc.oneof(node, nested) })
  const events = fc.array(fc.constantFrom('one', 'one', 'two', 'two', 'one.more', 'other'), {
    minLength: 1,
    maxLength: 12,
  })

  test('each step of a random walk is the one XState takes', () => {
    let plain = 0
    let steps = 0
    fc.assert(
      fc.property(states, rarely(transitionConfig), events, (made, atRoot, types) => {
        const config = {
          options: { maxIterations: 20 },
          context: { n: 0, m: '' },
          initial: 'a',
          states: made,
          ...(atRoot && { on: { two: fromRoot(atRoot) } }),
        }
        const delays = { named: ({ context }: { context: { n: number } }) => context.n + 1 }
        const machine = createMachine(configuration(config) as never, { delays } as never) as AnyStateMachine
        const start = { value: 'a', context: { n: 0, m: '' } }
        plain += walk(
          machine,
          start,
          types.map(type => stamp(type, AT, {})),
        )
        steps += types.length
      }),
      { numRuns: 1_500 },
    )
    // The comparison is worth something only where both ways are gone.
    expect(plain).toBeGreaterThan(steps / 10)
    expect(plain).toBeLessThan(steps)
  })

  test('an assign that spawns fails instead of losing the actor', () => {
    const machine = createMachine({
      context: { child: null as unknown },
      initial: 'a',
      states: { a: { on: { go: { actions: assign({ child: ({ spawn }) => spawn(createMachine({})) }) } } } },
    })
    expect(() => plainStep(machine, { value: 'a', context: { child: null } }, { type: 'go' }, [])).toThrow('spawnChild')
  })
})

/** The target is not a sibling where the transition is the root's. */
const fromRoot = ({ target, ...more }: { target: string | undefined }) => ({ ...more, target: target && `.${target}` })

/** Without the keys that were left out, and nothing of it shared: XState keeps what it is given. */
function configuration<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(configuration) as Value
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, of]) => of !== undefined)
  return Object.fromEntries(entries.map(([key, of]) => [key, configuration(of)])) as Value
}
