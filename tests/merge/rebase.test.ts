/** What readers are shown of events that are not in the log yet: each as it will be merged when it gets there. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import type { Dot } from '../../src/core/version-vector.ts'
import { decide, initialState, stamp } from '../../src/machines/decide.ts'
import { session } from '../../src/machines/session/index.ts'
import { user } from '../../src/machines/user/index.ts'
import { besideOf, type KnownEvent, type PendingEvent, rebase } from '../../src/merge/rebase.ts'

const AT = '2026-01-01T00:00:00.000Z'
const clock = (time: number) => `00000000${time}-0000-x`

function fold(entity: typeof user, events: readonly (JsonObject & { type: string })[]) {
  return events.reduce((state, { type, ...data }) => {
    const next = decide(entity, state, stamp(type, AT, data))
    if (next === undefined) throw new Error(`${type} is not taken`)
    return next.state
  }, initialState(entity))
}

const registered = { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' }
const ada = fold(user, [registered])
const name = (rebased: { state: typeof ada }) =>
  (rebased.state.context as unknown as { row: { display_name: string | null; avatar_url: string | null } }).row

function pending(dot: Dot, time: number, data: JsonObject, more: Partial<PendingEvent> = {}): PendingEvent {
  const event = { type: 'user.updated', data, clock: clock(time), node: dot[0].slice(0, 1) }
  return { dot, basis: 1, extra: [], at: AT, event, ...more }
}

function logged(version: number, time: number, data: JsonObject, extra: readonly Dot[] = []): KnownEvent {
  const event = { type: 'user.updated', data, clock: clock(time), node: 'c' }
  return { version, dot: ['log', version], extra, event }
}

describe('events on top of the log', () => {
  test('stack in the order of their clocks', () => {
    const on = rebase(
      user,
      { state: ada, at: AT },
      [],
      [
        pending(['a#1', 1], 1, { displayName: 'a', avatarUrl: 'https://example.org/a' }),
        pending(['b#1', 1], 2, { displayName: 'b' }, { extra: [['a#1', 1]] }),
      ],
    )
    expect(name(on)).toMatchObject({ display_name: 'b', avatar_url: 'https://example.org/a' })
  })

  test('lose to what the log got meanwhile and is later, and only in those fields', () => {
    const moved = fold(user, [registered, { type: 'user.updated', displayName: 'of the log' }])
    const own = pending(['a#1', 1], 3, { displayName: 'a', avatarUrl: 'https://example.org/a' })
    const later = rebase(user, { state: moved, at: AT }, [logged(2, 5, { displayName: 'of the log' })], [own])
    expect(name(later)).toMatchObject({ display_name: 'of the log', avatar_url: 'https://example.org/a' })
    const earlier = rebase(user, { state: moved, at: AT }, [logged(2, 1, { displayName: 'of the log' })], [own])
    expect(name(earlier)).toMatchObject({ display_name: 'a' })
  })

  test('a revocation stands over what others did beside it, and what is over takes nothing more', () => {
    const opened = { type: 'session.created', userId: 1, tokenHash: 'h', expiresAt: '2999-01-01T00:00:00Z' }
    const state = fold(session, [opened])
    const of = (source: string, type: string, time: number): PendingEvent => ({
      ...pending([source, 1], time, {}),
      event: { type, data: {}, clock: clock(time), node: source },
    })
    const on = rebase(session, { state, at: AT }, [], [of('a#1', 'session.revoked', 1), of('b#1', 'session.closed', 2)])
    expect(on.state.value).toBe('revoked')
    const ended = rebase(
      session,
      { state, at: AT },
      [],
      [of('b#1', 'session.closed', 1), of('a#1', 'session.revoked', 2)],
    )
    expect(ended.state.value).toBe('revoked')
  })
})

describe('what an event is beside', () => {
  const log = [logged(1, 1, {}), logged(2, 2, {}), { ...logged(3, 3, {}), dot: ['b#1', 4] as const }]

  test('is what its writer saw neither in the log nor over the bus; its own start is never beside it', () => {
    const clocks = (event: PendingEvent) => besideOf(event, log).map(other => other.clock)
    expect(clocks(pending(['a#1', 1], 9, {}))).toEqual([clock(2), clock(3)])
    expect(clocks(pending(['a#1', 1], 9, {}, { basis: 2 }))).toEqual([clock(3)])
    expect(clocks(pending(['a#1', 1], 9, {}, { extra: [['b#1', 4]] }))).toEqual([clock(2)])
    expect(clocks(pending(['a#1', 1], 9, {}, { extra: [['b#1', 3]] }))).toEqual([clock(2), clock(3)])
    expect(clocks(pending(['b#1', 7], 9, {}))).toEqual([clock(2)])
  })

  test('says of each whether it knew', () => {
    const known = [logged(2, 2, {}, [['a#1', 5]])]
    expect(besideOf(pending(['a#1', 5], 1, {}), known)).toMatchObject([{ knew: true }])
    expect(besideOf(pending(['a#1', 6], 1, {}), known)[0]).not.toHaveProperty('knew')
  })
})
