/** Snapshots that are brought forward: to what the log says, and not at all where the pieces do not fit. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { type ActorDelta, applyDelta, maskDelta, parseDelta } from '../../src/snapshots/delta.ts'
import { maskSnapshot, parseSnapshot } from '../../src/snapshots/snapshot.ts'
import { deltaBetween, goldenActor, goldenActors, snapshotAt } from './golden-snapshots.ts'

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('there are golden logs to look at', () => {
  expect(goldenActors.length).toBeGreaterThanOrEqual(7)
})

describe.each(goldenActors.map((actor, index) => [`${actor.entity.type} ${index}`, actor] as const))(
  '%s',
  (_, actor) => {
    const last = actor.events.length
    const whole = snapshotAt(actor, last)

    test('from each version to each later one', () => {
      for (let from = 1; from <= last; from++)
        for (let to = from; to <= last; to++)
          expect(applyDelta(snapshotAt(actor, from), deltaBetween(actor, from, to))).toEqual(snapshotAt(actor, to))
    })

    test('after a journey over the wire', () => {
      const snapshot = parseSnapshot(json(snapshotAt(actor, 1)))
      expect(applyDelta(snapshot, parseDelta(json(deltaBetween(actor, 1))))).toEqual(json(whole))
    })

    test('without its secrets too', () => {
      const masked = maskSnapshot(snapshotAt(actor, 1))
      expect(applyDelta(masked, maskDelta(deltaBetween(actor, 1)))).toEqual(maskSnapshot(whole))
    })
  },
)

describe('stream', () => {
  const actor = goldenActor('stream')
  const last = actor.events.length
  const events = deltaBetween(actor, 2)
  const wrong = (from: object, delta: object) => () =>
    applyDelta({ ...snapshotAt(actor, 2), ...from }, { ...events, ...delta } as ActorDelta)

  test('what it has already is passed over', () => {
    const later = snapshotAt(actor, 4)
    expect(applyDelta(later, events)).toEqual(snapshotAt(actor, last))
    expect(applyDelta(snapshotAt(actor, last), events)).toEqual(snapshotAt(actor, last))
    expect(applyDelta(applyDelta(later, events), events)).toEqual(snapshotAt(actor, last))
  })

  test('a whole snapshot takes its place, unless it is older', () => {
    const { type, id, stateVersion, format } = events
    const delta = (to: number): ActorDelta => ({
      ...{ type, id, stateVersion, format, from: 2, to },
      kind: 'snapshot',
      snapshot: snapshotAt(actor, to),
    })
    expect(applyDelta(snapshotAt(actor, 2), delta(5))).toEqual(snapshotAt(actor, 5))
    expect(applyDelta(snapshotAt(actor, 6), delta(5))).toEqual(snapshotAt(actor, 6))
  })

  test('nothing is changed in place', () => {
    const before = snapshotAt(actor, 2)
    const kept = json(before)
    applyDelta(before, events)
    expect(json(before)).toEqual(kept)
  })

  test('another actor is refused', () => {
    expect(wrong({ id: 8 }, {})).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(wrong({ type: 'user' }, {})).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    const snapshot = { ...snapshotAt(actor, 5), id: 8 }
    expect(wrong({}, { kind: 'snapshot', snapshot })).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })

  test('missing versions are refused, before the delta and within it', () => {
    const gap = (have: number, from: number) =>
      expect.objectContaining({ code: 'invalid_input', details: { have, from } })
    expect(() => applyDelta(snapshotAt(actor, 2), deltaBetween(actor, 4))).toThrow(gap(2, 4))
    const holed = actor.events.slice(2).filter(({ version }) => version !== 5)
    expect(wrong({}, { events: holed })).toThrow(gap(4, 5))
  })

  test('what newer code wrote is refused', () => {
    const newer = expect.objectContaining({ code: 'schema_mismatch' })
    expect(wrong({ format: 2 }, {})).toThrow(newer)
    expect(wrong({}, { format: 2 })).toThrow(newer)
    expect(wrong({ stateVersion: 99 }, {})).toThrow(newer)
    expect(wrong({}, { stateVersion: 99 })).toThrow(newer)
    expect(wrong({}, { events: [{ ...actor.events[2], schemaVersion: 99 }] })).toThrow(newer)
    expect(() => parseSnapshot({ format: 2 })).toThrow(newer)
    expect(() => parseDelta({ ...events, format: 2 })).toThrow(newer)
  })

  test('events that lead elsewhere with this code are refused', () => {
    expect(wrong({}, { events: [{ ...actor.events[2], state: 'nowhere' }] })).toThrow(
      expect.objectContaining({ code: 'history_drift' }),
    )
    expect(wrong({ type: 'unheard' }, { type: 'unheard' })).toThrow(expect.objectContaining({ code: 'unknown_type' }))
  })

  test('malformed input is refused by name, not by value', () => {
    const malformed: unknown[] = [
      null,
      [],
      'x',
      {},
      { ...snapshotAt(actor, 2), version: 0 },
      { ...snapshotAt(actor, 2), version: '2' },
      { ...snapshotAt(actor, 2), at: 'yesterday' },
      { ...snapshotAt(actor, 2), state: { value: 'live' } },
      { ...snapshotAt(actor, 2), state: { value: 'live', context: deep(100) } },
    ]
    for (const value of malformed)
      expect(() => parseSnapshot(value)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    const many = Array.from({ length: 1_001 }, () => actor.events[0])
    for (const value of [null, { ...events, kind: 'else' }, { ...events, events: many }, { ...events, events: [{}] }])
      expect(() => parseDelta(value)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => parseSnapshot({ ...snapshotAt(actor, 2), at: 'a secret' })).not.toThrow(/a secret/)
  })
})

function deep(levels: number): JsonObject {
  return levels === 0 ? {} : { child: deep(levels - 1) }
}
