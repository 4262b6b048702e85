/** What becomes of each kind of event that was accepted while the log was away. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatHybridTime } from '../../src/core/hybrid-clock.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { ActorState } from '../../src/core/state.ts'
import { decide, initialState, stamp } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { session } from '../../src/machines/session/index.ts'
import { STATUS_ORDER } from '../../src/machines/session/merge.ts'
import { stream } from '../../src/machines/stream/index.ts'
import { user } from '../../src/machines/user/index.ts'
import { isMergeable, mergeEvent, type OffsideEvent, observe } from '../../src/merge/merge-event.ts'
import { AT, samples } from '../machines/samples.ts'

/** An event written at this hybrid time. */
function at(wall: number, type: string, data: JsonObject = {}, node = 'a', observed?: JsonObject): OffsideEvent {
  const clock = formatHybridTime({ wall, counter: 0, source: `${node}#1` })
  return { type, data, clock, node, ...(observed === undefined ? {} : { observed }) }
}

/** The state after these events, each given as its type or with its data. */
function stateAfter(entity: EntityDefinition, ...events: readonly (string | [string, JsonObject])[]): ActorState {
  return events.reduce<ActorState>((state, event) => {
    const [type, data] = typeof event === 'string' ? [event, samples[event] ?? {}] : event
    const next = decide(entity, state, stamp(type, AT, data))
    if (next === undefined) throw new Error(`${type} is not taken in ${String(state.value)}`)
    return next.state
  }, initialState(entity))
}

const absorbed = { outcome: 'absorbed' }
const applied = (data: JsonObject) => ({ outcome: 'applied', data })

describe('a profile', () => {
  const ada = stateAfter(user, 'user.registered')
  const edit = (wall: number, data: JsonObject, node?: string) => at(wall, 'user.updated', data, node)

  test('each field goes to its last writer', () => {
    const event = edit(5, { displayName: 'Ada', avatarUrl: '/a' })
    const beside = [edit(7, { avatarUrl: '/b' }, 'b'), edit(3, { avatarUrl: '/c' }, 'c')]
    expect(mergeEvent(user, ada, event, beside)).toEqual(applied({ displayName: 'Ada' }))
    expect(mergeEvent(user, ada, edit(8, { avatarUrl: '/a' }), beside)).toEqual(applied({ avatarUrl: '/a' }))
    expect(mergeEvent(user, ada, edit(5, { avatarUrl: '/a' }), beside)).toEqual(absorbed)
  })

  test('at the same time the greater node has it', () => {
    expect(mergeEvent(user, ada, edit(5, { avatarUrl: '/a' }, 'a'), [edit(5, { avatarUrl: '/b' }, 'b')])).toEqual(
      absorbed,
    )
    expect(mergeEvent(user, ada, edit(5, { avatarUrl: '/b' }, 'b'), [edit(5, { avatarUrl: '/a' }, 'a')])).toEqual(
      applied({ avatarUrl: '/b' }),
    )
  })

  test('a name that lost is kept, whichever side it was on', () => {
    const mine = edit(5, { displayName: 'Mine' })
    expect(mergeEvent(user, ada, mine, [edit(6, { displayName: 'Theirs' }, 'b')])).toEqual({
      ...absorbed,
      conflict: { strategy: 'lww', fields: ['displayName'], winner: 'log', loser: { displayName: 'Mine' } },
    })
    expect(mergeEvent(user, ada, mine, [edit(4, { displayName: 'Theirs' }, 'b')])).toEqual({
      ...applied({ displayName: 'Mine' }),
      conflict: { strategy: 'lww', fields: ['displayName'], winner: 'event', loser: { displayName: 'Theirs' } },
    })
    expect(mergeEvent(user, ada, mine, [edit(4, { displayName: 'Mine' }, 'b')])).toEqual(
      applied({ displayName: 'Mine' }),
    )
  })

  test('one event can lose a field and win another', () => {
    const beside = [edit(6, { displayName: 'Later' }, 'b'), edit(4, { email: 'earlier@example.org' }, 'c')]
    expect(mergeEvent(user, ada, edit(5, { displayName: 'Mine', email: 'mine@example.org' }), beside)).toEqual({
      ...applied({ email: 'mine@example.org' }),
      conflict: {
        strategy: 'lww',
        fields: ['displayName'],
        winner: 'log',
        loser: { displayName: 'Mine' },
        also: { strategy: 'lww', fields: ['email'], winner: 'event', loser: { email: 'earlier@example.org' } },
      },
    })
  })

  test('who was erased gets no profile back, and nothing of it is kept', () => {
    const gone = stateAfter(user, 'user.registered', 'user.deleted')
    const beside = [edit(4, { displayName: 'Theirs' }, 'b'), at(6, 'user.deleted', {}, 'b')]
    expect(mergeEvent(user, gone, edit(5, { displayName: 'Mine' }), beside)).toEqual(absorbed)
  })

  test('is edited while the log is away, but names wait for it', () => {
    const may = (data: JsonObject) => isMergeable(user, 'user.updated', { state: ada, data })
    expect(may({ displayName: 'Ada' })).toBe(true)
    expect(may({ displayName: 'Ada', username: 'countess' })).toBe(false)
    expect(may({ email: 'a@example.org' })).toBe(false)
  })
})

describe('roles', () => {
  const withRoles = (...roles: string[]) => stateAfter(user, 'user.registered', ['user.roles.changed', { roles }])
  const roles = (wall: number, set: string[], node = 'a', seen?: string[]) =>
    at(wall, 'user.roles.changed', { roles: set }, node, seen && { roles: seen })

  test('a role taken away stays away, though it was given again meanwhile', () => {
    const event = roles(5, ['viewer'], 'a', ['admin', 'viewer'])
    const beside = [roles(6, ['viewer'], 'b'), roles(7, ['admin', 'viewer'], 'b')]
    expect(mergeEvent(user, withRoles('admin', 'viewer'), event, beside)).toEqual({
      ...applied({ roles: ['viewer'] }),
      conflict: { strategy: 'orSet', fields: ['roles'], winner: 'event', loser: { roles: ['admin'] } },
    })
  })

  test('what was given meanwhile and not taken away stays', () => {
    const event = roles(5, [], 'a', ['viewer'])
    const beside = [roles(6, ['operator', 'viewer'], 'b')]
    expect(mergeEvent(user, withRoles('operator', 'viewer'), event, beside)).toEqual(applied({ roles: ['operator'] }))
  })

  test('a grant gives way to a revocation it did not know of', () => {
    const event = roles(5, ['admin', 'operator', 'viewer'], 'a', ['viewer'])
    const beside = [roles(6, ['admin', 'viewer'], 'b'), roles(7, ['viewer'], 'b')]
    expect(mergeEvent(user, withRoles('viewer'), event, beside)).toEqual({
      ...applied({ roles: ['operator', 'viewer'] }),
      conflict: { strategy: 'orSet', fields: ['roles'], winner: 'log', loser: { roles: ['admin'] } },
    })
  })

  test('where nobody wrote down what was seen, nothing comes back that somebody took away', () => {
    expect(mergeEvent(user, withRoles('viewer'), roles(5, ['admin', 'viewer']), [roles(6, ['viewer'], 'b')])).toEqual(
      absorbed,
    )
    expect(mergeEvent(user, withRoles('admin', 'viewer'), roles(5, ['viewer']), [])).toEqual(
      applied({ roles: ['viewer'] }),
    )
  })

  test('are taken while the log is away, never given', () => {
    const may = (...set: string[]) =>
      isMergeable(user, 'user.roles.changed', { state: withRoles('admin', 'viewer'), data: { roles: set } })
    expect(may('viewer')).toBe(true)
    expect(may('viewer', 'operator')).toBe(false)
    expect(observe(user, withRoles('admin', 'viewer'), 'user.roles.changed')).toEqual({ roles: ['admin', 'viewer'] })
  })
})

test('who was shut out stays out, whoever let them in without knowing', () => {
  const shut = at(5, 'user.deactivated', { reason: 'asked' })
  const back = stateAfter(user, 'user.registered', 'user.deactivated', 'user.reactivated')
  expect(mergeEvent(user, back, shut, [at(6, 'user.reactivated', {}, 'b')])).toEqual(applied({ reason: 'asked' }))
  expect(mergeEvent(user, stateAfter(user, 'user.registered', 'user.deactivated'), shut, [])).toEqual(absorbed)
  expect(mergeEvent(user, stateAfter(user, 'user.registered', 'user.deleted'), shut, [])).toEqual(absorbed)
})

describe('a session', () => {
  const ended = (...events: string[]) => stateAfter(session, 'session.created', ...events)

  test.each([
    ['session.closed', [], 'applied'],
    ['session.closed', ['session.closed'], 'absorbed'],
    ['session.closed', ['session.expired'], 'applied'],
    ['session.closed', ['session.revoked'], 'absorbed'],
    ['session.revoked', [], 'applied'],
    ['session.revoked', ['session.closed'], 'applied'],
    ['session.revoked', ['session.expired'], 'applied'],
    ['session.revoked', ['session.revoked'], 'absorbed'],
    ['session.touched', [], 'applied'],
    ['session.touched', ['session.revoked'], 'absorbed'],
  ])('%s after %j is %s', (type, history, outcome) => {
    // However late or early it was: states, not times, decide.
    for (const wall of [1, 9])
      expect(mergeEvent(session, ended(...history), at(wall, type), [at(5, 'session.revoked', {}, 'b')]).outcome).toBe(
        outcome,
      )
  })

  const ends = { expired: 'session.expired', closed: 'session.closed', revoked: 'session.revoked' } as const
  type Status = (typeof STATUS_ORDER)[number]
  const into = (status: Status) => (status === 'active' ? [] : [ends[status]])
  const join = (a: Status, b: Status) => STATUS_ORDER[Math.max(STATUS_ORDER.indexOf(a), STATUS_ORDER.indexOf(b))]
  const pairs = STATUS_ORDER.flatMap(here => STATUS_ORDER.map(there => [here, there] as const))

  test.each(pairs)('%s and %s meet in the later of the two, by the machine and by the merge', (here, there) => {
    const state = ended(...into(here))
    expect(state.value).toBe(here)
    for (const type of into(there)) {
      const taken = decide(session, state, stamp(type, AT, {}))
      expect((taken?.state ?? state).value, 'the machine').toBe(join(here, there))
      if (!isMergeable(session, type)) continue
      const beside = into(here).map(other => at(5, other, {}, 'b'))
      const merged = mergeEvent(session, state, at(4, type), beside)
      expect(merged.outcome, 'the merge').toBe(join(here, there) === here ? 'absorbed' : 'applied')
    }
  })

  test('ends of any kind, in any order and number, end in the latest of them', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...STATUS_ORDER), { maxLength: 6 }), statuses => {
        const state = statuses.flatMap(into).reduce((before, type) => {
          return decide(session, before, stamp(type, AT, {}))?.state ?? before
        }, ended())
        expect(state.value).toBe(statuses.reduce<Status | undefined>((a, b) => join(a ?? 'active', b), 'active'))
      }),
    )
  })

  test('was last seen when it was last seen', () => {
    const beside = [at(5, 'session.touched', {}, 'b')]
    expect(mergeEvent(session, ended(), at(4, 'session.touched'), beside)).toEqual(absorbed)
    expect(mergeEvent(session, ended(), at(6, 'session.touched'), beside)).toEqual(applied({}))
  })

  test('neither begins nor is prolonged while the log is away', () => {
    for (const type of ['session.created', 'session.refreshed', 'session.expired'])
      expect(isMergeable(session, type)).toBe(false)
    expect(() => mergeEvent(session, ended(), at(1, 'session.refreshed'), [])).toThrow('no merge rule')
  })
})

describe('a stream', () => {
  const live = (...events: (string | [string, JsonObject])[]) =>
    stateAfter(stream, 'stream.created', 'stream.started', ...events)
  const count = (viewers: number): [string, JsonObject] => ['stream.viewers.updated', { viewers }]

  test('each viewer counts, and none who cannot have left', () => {
    expect(
      mergeEvent(stream, live(), at(1, 'viewer.joined', { userId: 2 }), [at(5, 'viewer.joined', {}, 'b')]),
    ).toEqual(applied({ userId: 2 }))
    expect(mergeEvent(stream, live('viewer.joined'), at(1, 'viewer.left'), [])).toEqual(applied({}))
    expect(mergeEvent(stream, live(), at(1, 'viewer.left'), [])).toEqual(absorbed)
  })

  test('of totals that several nodes wrote, the differences are summed', () => {
    const event = at(1, 'stream.viewers.updated', { viewers: 12 }, 'a', { viewers: 10 })
    expect(mergeEvent(stream, live(count(25)), event, [at(5, ...count(25), 'b')])).toEqual(applied({ viewers: 27 }))
    expect(observe(stream, live(count(25)), 'stream.viewers.updated')).toEqual({ viewers: 25 })
    const fell = at(1, 'stream.viewers.updated', { viewers: 0 }, 'a', { viewers: 10 })
    expect(mergeEvent(stream, live(count(3)), fell, [at(5, ...count(3), 'b')])).toEqual(applied({ viewers: 0 }))
    const unseen = at(1, 'stream.viewers.updated', { viewers: 12 })
    expect(mergeEvent(stream, live(count(10)), unseen, [])).toEqual(applied({ viewers: 12 }))
  })

  test('figures go to the last writer, bytes to the largest', () => {
    const beside = [at(5, 'stream.stats.updated', { fps: 30, bytesSent: 100 }, 'b')]
    const stats = (wall: number, data: JsonObject) =>
      mergeEvent(stream, live(), at(wall, 'stream.stats.updated', data), beside)
    expect(stats(4, { fps: 60, bytesSent: 200 })).toEqual(applied({ bytesSent: 200 }))
    expect(stats(6, { fps: 60, bytesSent: 50 })).toEqual(applied({ fps: 60 }))
    expect(stats(4, { fps: 60, bytesSent: 100 })).toEqual(absorbed)
  })

  test('what belonged to an earlier time on air is not put into a later one', () => {
    const beside = [at(2, 'stream.stopped', {}, 'b'), at(3, 'stream.started', {}, 'b')]
    const again = live('stream.stopped', 'stream.started')
    for (const type of ['viewer.joined', 'stream.viewers.updated', 'stream.stats.updated'])
      expect(mergeEvent(stream, again, at(9, type, samples[type] ?? {}), beside)).toEqual(absorbed)
  })

  test('its life waits for the log', () => {
    for (const type of ['stream.started', 'stream.stopped', 'stream.deleted', 'stream.key.rotated'])
      expect(isMergeable(stream, type)).toBe(false)
  })
})

test('an event of a time that cannot be read is refused, not guessed', () => {
  const event = { ...at(1, 'session.closed'), clock: 'yesterday' }
  expect(() => mergeEvent(session, stateAfter(session, 'session.created'), event, [])).toThrow(
    expect.objectContaining({ code: 'corrupt_data' }),
  )
})

test('nothing creates, imports or is internal and mergeable', () => {
  const listed = entities.flatMap(entity => Object.keys(entity.merge).map(type => [entity, type] as const))
  expect(listed.length).toBeGreaterThan(8)
  for (const [entity, type] of listed) {
    expect(entity.events[type]?.internal, type).toBe(false)
    expect(decide(entity, initialState(entity), stamp(type, AT, samples[type] ?? {})), type).toBeUndefined()
  }
})
