/** The full transition table of every entity: each event in each state, taken to a state or refused. */
import { describe, expect, test } from 'vitest'
import type { ActorState } from '../../src/core/state.ts'
import { allowedEvents, decide, initialState, stamp } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { AT, samples } from './samples.ts'
import { billing } from './transitions/billing.ts'
import { broadcast } from './transitions/broadcast.ts'
import { conflict } from './transitions/conflict.ts'
import { factor } from './transitions/factor.ts'
import { mfaAttempt } from './transitions/mfa-attempt.ts'
import { recording } from './transitions/recording.ts'
import { session } from './transitions/session.ts'
import { stream } from './transitions/stream.ts'
import { no } from './transitions/table.ts'
import { ticket } from './transitions/ticket.ts'
import { trustedDevice } from './transitions/trusted-device.ts'
import { usage } from './transitions/usage.ts'
import { user } from './transitions/user.ts'
import { type Step, ways } from './ways.ts'

/** By the type of the entity. */
const tables: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string | null>>>>>> = {
  user,
  session,
  factor,
  'mfa-attempt': mfaAttempt,
  'trusted-device': trustedDevice,
  ticket,
  stream,
  broadcast,
  recording,
  usage,
  billing,
  conflict,
}

function stateAfter(entity: EntityDefinition, way: readonly Step[]): ActorState {
  return way.reduce((state, step) => {
    const [type, data] = typeof step === 'string' ? [step, samples[step] ?? {}] : step
    const decision = decide(entity, state, stamp(type, AT, data))
    if (decision === undefined) throw new Error(`${type} was refused`)
    return decision.state
  }, initialState(entity))
}

describe.each(entities.map(entity => [entity.type, entity] as const))('%s', (type, entity) => {
  const table = tables[type] ?? {}

  test('has a row for each state of the machine', () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(entity.machine.states).sort())
    expect(Object.keys(ways[type] ?? {}).sort()).toEqual(Object.keys(table).sort())
  })

  test.each(Object.keys(table))('in %s takes what the table says, and nothing else', from => {
    const state = stateAfter(entity, ways[type]?.[from] ?? [])
    expect(state.value).toBe(from)
    const found = Object.fromEntries(
      Object.keys(entity.events).map(event => [
        event,
        decide(entity, state, stamp(event, AT, samples[event] ?? {}))?.state.value ?? no,
      ]),
    )
    expect(found).toEqual(table[from])
    // What a refusal offers is what the table takes from outside.
    for (const offered of allowedEvents(entity, state)) expect(entity.events[offered]?.internal).toBe(false)
  })

  test('each event is taken somewhere', () => {
    const taken = new Set(Object.values(table).flatMap(row => Object.keys(row).filter(event => row[event] !== no)))
    expect([...taken].sort()).toEqual(Object.keys(entity.events).sort())
  })
})
