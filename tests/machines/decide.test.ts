/** Deciding and folding: what XState says, as data; and where history drifts. */

import { expect, test } from 'vitest'
import { assign, raise, setup } from 'xstate'
import { z } from 'zod'
import type { LogEvent } from '../../src/core/event.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { allowedEvents, decide, fold, initialState, stamp, upcast } from '../../src/machines/decide.ts'
import { defineEntity, event } from '../../src/machines/define.ts'
import { stream } from '../../src/machines/stream/index.ts'
import { bookingEntity } from '../support/booking-entity.ts'

const AT = '2026-01-01T00:00:00.000Z'
const booking = bookingEntity()
const made = decide(
  booking,
  initialState(booking),
  stamp('booking.made', AT, { name: 'a', seats: 1, expiresAt: '2026-01-01T01:00:00.000Z' }),
)
if (made === undefined) throw new Error('refused')

function logged(changes: Partial<LogEvent>): LogEvent {
  return {
    position: 7,
    actorType: 'booking',
    actorId: 1 as ActorId,
    version: 2,
    type: 'booking.changed',
    schemaVersion: 1,
    data: { seats: 3 },
    state: 'made',
    at: AT,
    node: 'n',
    incarnation: 1,
    n: 1,
    userId: null,
    commandId: null,
    causation: null,
    correlation: null,
    token: null,
    ...changes,
  }
}

test('a delayed raise is a timer, due by the time of the event and not by a clock', () => {
  expect(made.timers).toEqual([
    { name: 'expiry', kind: 'event', dueAt: '2026-01-01T01:00:00.000Z', payload: { type: 'booking.expired' } },
  ])
})

test('leaving the state takes the timer back; entering one that invokes starts an effect with a timer of its own', () => {
  const confirmed = decide(booking, made.state, stamp('booking.confirmed', AT, {}))
  expect(confirmed?.cancels).toEqual(['expiry'])
  expect(confirmed?.effects).toEqual([{ name: 'ticket', src: 'sendTicket', input: { name: 'a' } }])
  expect(confirmed?.timers).toMatchObject([
    { name: 'effect:ticket', kind: 'effect', dueAt: '2026-01-01T00:00:30.000Z' },
  ])
  const cancelled = confirmed && decide(booking, confirmed.state, stamp('booking.cancelled', AT, {}))
  expect(cancelled?.cancels).toEqual(['effect:ticket'])
})

test('a name worked out from the state makes each time an effect of its own', () => {
  const started = (at: string) => {
    const idle = decide(
      stream,
      initialState(stream),
      stamp('stream.created', AT, { userId: 1, name: 'a', streamKey: 'k' }),
    )
    const live = idle && decide(stream, idle.state, stamp('stream.started', at, {}))
    return { effects: live?.effects.map(({ name }) => name), timers: live?.timers.map(({ name }) => name) }
  }
  expect(started('2026-01-02T00:00:00.000Z')).toEqual({
    effects: ['openBroadcast:2026-01-02T00:00:00.000Z'],
    timers: ['effect:openBroadcast:2026-01-02T00:00:00.000Z'],
  })
})

test('the same state and event give the same decision, and the state is not touched', () => {
  const before = JSON.stringify(made.state)
  const twice = [1, 2].map(() => decide(booking, made.state, stamp('booking.changed', AT, { seats: 9 })))
  expect(twice[0]).toEqual(twice[1])
  expect(JSON.stringify(made.state)).toBe(before)
})

test('what the state takes is listed without what only the runtime may send', () => {
  expect(allowedEvents(booking, initialState(booking))).toEqual(['booking.made'])
  expect(allowedEvents(booking, made.state)).not.toContain('booking.expired')
})

test('folding names the event where today’s machine leads elsewhere, or takes nothing', () => {
  expect(fold(booking, made.state, logged({})).context).toMatchObject({ seats: 3 })
  expect(() => fold(booking, made.state, logged({ state: 'confirmed' }))).toThrow(
    expect.objectContaining({
      code: 'history_drift',
      message: expect.stringContaining("position 7) led to 'confirmed'"),
      details: { position: 7, recorded: 'confirmed', recomputed: 'made' },
    }),
  )
  expect(() => fold(booking, initialState(booking), logged({}))).toThrow(
    expect.objectContaining({ code: 'history_drift', message: expect.stringContaining("not allowed in 'absent'") }),
  )
  expect(() => fold(booking, made.state, logged({ type: 'booking.unheard' }))).toThrow(
    expect.objectContaining({ code: 'unknown_type' }),
  )
})

test('old data goes through each upcaster in turn', () => {
  const entity = defineEntity({
    type: 'old',
    machine: booking.machine,
    events: {
      'old.event': event(3, z.object({ c: z.number() }), {
        upcasters: { 1: ({ a }) => ({ b: Number(a) + 1 }), 2: ({ b }) => ({ c: Number(b) * 10 }) },
      }),
    },
  })
  const old = (schemaVersion: number, data: LogEvent['data']) =>
    upcast(entity, logged({ type: 'old.event', schemaVersion, data }))
  expect([old(1, { a: 1 }), old(2, { b: 2 }), old(3, { c: 3 })]).toEqual([{ c: 20 }, { c: 20 }, { c: 3 }])
})

test('data of a newer schema version is not taken for what this code knows', () => {
  const tooNew = logged({ schemaVersion: 2 })
  const error = expect.objectContaining({
    code: 'schema_mismatch',
    message: expect.stringMatching(
      /position 7.*schema version 2; this code knows it up to 1.*nothing was lost.*Upgrade/,
    ),
    details: { position: 7, schemaVersion: 2, known: 1 },
  })
  expect(() => upcast(booking, tooNew)).toThrow(error)
  expect(() => fold(booking, made.state, tooNew)).toThrow(error)
})

test('a definition that cannot work is refused when it is made', () => {
  expect(() => event(2, z.object({}))).toThrow('needs an upcaster from version 1')
  expect(() => event(1, z.object({ at: z.string() }))).toThrow("cannot have the key 'at'")
  expect(() => defineEntity({ type: 'Bad Type', machine: booking.machine, events: {} })).toThrow('bad entity type')
  expect(() =>
    defineEntity({ type: 'good', machine: booking.machine, events: { 'Bad Event': event(1, z.object({})) } }),
  ).toThrow('bad event type')
})

test('a delayed raise without an id is a bug that shows at once', () => {
  const machine = setup({
    types: {} as { context: { n: number }; events: { type: 'go' } | { type: 'due' } },
  }).createMachine({
    context: { n: 0 },
    initial: 'absent',
    states: {
      absent: {
        on: { go: { actions: [assign({ n: ({ context }) => context.n + 1 }), raise({ type: 'due' }, { delay: 10 })] } },
      },
    },
  })
  const entity = defineEntity({
    type: 'anon',
    machine,
    events: { go: event(1, z.object({})), due: event(1, z.object({})) },
  })
  expect(() => decide(entity, initialState(entity), stamp('go', AT, {}))).toThrow('needs an id')
})
