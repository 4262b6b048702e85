/** What holds for every entity of the registry, so that a new one is covered by being there. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogEvent } from '../../src/core/event.ts'
import type { ActorId } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { type ActorState, formatStateValue } from '../../src/core/state.ts'
import { decide, fold, initialState, stamp, upcast } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { histories } from './histories.ts'
import { AT, samples } from './samples.ts'

const GOLDEN = path.resolve(import.meta.dirname, '../fixtures/golden')

/** What one actor went through. */
interface GoldenLog {
  readonly events: readonly {
    readonly type: string
    readonly schemaVersion: number
    readonly at: string
    readonly data: JsonObject
    readonly state: string
  }[]
  /** State after the last event, and the row it shows as. */
  readonly state: ActorState
  readonly row: JsonObject | null
}

function logEvent(entity: EntityDefinition, version: number, event: GoldenLog['events'][number]): LogEvent {
  return {
    ...event,
    position: version,
    actorType: entity.type,
    actorId: 1 as ActorId,
    version,
    node: 'golden',
    incarnation: 1,
    n: version,
    userId: null,
    commandId: null,
    causation: null,
    correlation: null,
    token: null,
  }
}

describe.each(entities.map(entity => [entity.type, entity] as const))('%s', (type, entity) => {
  test('has a valid sample of each event, which its schema takes unchanged', () => {
    for (const [event, definition] of Object.entries(entity.events))
      expect(definition.schema.parse(samples[event]), event).toEqual(samples[event])
  })

  test('refuses data it does not know', () => {
    for (const [event, definition] of Object.entries(entity.events))
      expect(definition.schema.safeParse({ ...samples[event], surprise: 1 }).success, event).toBe(false)
  })

  test('implements each effect its machine names, and no other', () => {
    const named = Object.keys(entity.machine.implementations.actors ?? {})
    expect(Object.keys(entity.effects).sort()).toEqual(named.sort())
  })

  test('replays its golden log to the recorded states', () => {
    const file = path.join(GOLDEN, `${type}.json`)
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, `${JSON.stringify(makeGolden(entity), null, 2)}\n`)
    expect(
      existsSync(file),
      `${file} is missing: run UPDATE_GOLDEN=1 npx vitest run --project unit tests/machines`,
    ).toBe(true)
    for (const golden of readGolden(type)) {
      const state = golden.events.reduce(
        (before, event, index) => fold(entity, before, logEvent(entity, index + 1, event)),
        initialState(entity),
      )
      expect(state).toStrictEqual(golden.state)
      expect(entity.view?.row(1, state) ?? null).toStrictEqual(golden.row)
    }
  })

  test('has each event in its golden logs', () => {
    const covered = new Set(readGolden(type).flatMap(({ events }) => events.map(event => event.type)))
    expect([...covered].sort()).toEqual(Object.keys(entity.events).sort())
  })

  test('has an old event in its golden logs for each upcaster', () => {
    const recordedEvents = readGolden(type).flatMap(({ events }) => events)
    for (const [event, definition] of Object.entries(entity.events))
      for (let version = 1; version < definition.version; version++)
        expect(
          recordedEvents.some(recorded => recorded.type === event && recorded.schemaVersion === version),
          `${event} v${version}`,
        ).toBe(true)
  })

  test('after any events: no throw, the same from a state that was stored, a row that its table takes', () => {
    const events = Object.keys(entity.events)
    const step = fc.record({ type: fc.constantFrom(...events), ms: fc.integer({ min: 0, max: 3_600_000 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        let state = initialState(entity)
        let now = Date.parse(AT)
        let version = 0
        let replayed = initialState(entity)
        for (const { type: event, ms } of steps) {
          now += ms
          const at = new Date(now).toISOString()
          const data = samples[event] ?? {}
          const stored = JSON.parse(JSON.stringify(state)) as ActorState
          const decision = decide(entity, state, stamp(event, at, data))
          expect(decide(entity, stored, stamp(event, at, data))).toEqual(decision)
          if (decision === undefined) continue
          state = decision.state
          version++
          const definition = entity.events[event]
          replayed = fold(
            entity,
            replayed,
            logEvent(entity, version, {
              type: event,
              schemaVersion: definition?.version ?? 1,
              at,
              data,
              state: formatStateValue(state.value),
            }),
          )
          // Strictly: what is undefined would be lost in a snapshot.
          expect(JSON.parse(JSON.stringify(state))).toStrictEqual(state)
          checkRow(entity, state)
          const claims = entity.claims(state)
          expect(new Set(claims.map(({ kind }) => kind)).size).toBe(claims.length)
        }
        expect(replayed).toEqual(state)
      }),
      { numRuns: 300 },
    )
  })
})

/** The columns of the view and no others; the checks of the 24.2 tables. */
function checkRow(entity: EntityDefinition, state: ActorState): void {
  const row = entity.view?.row(1, state) ?? null
  if (row === null) return
  expect(Object.keys(row)).toEqual(Object.keys(entity.view?.columns ?? {}))
  const time = (column: string) => (typeof row[column] === 'string' ? Date.parse(row[column]) : Number.NaN)
  const laterOrUnknown = (after: string, before: string) => !(time(after) <= time(before)) || row[after] === null
  switch (entity.view?.table) {
    case 'sessions':
      expect(laterOrUnknown('expires_at', 'created_at')).toBe(true)
      break
    case 'stream_sessions':
      // Microseconds of imported rows are below what a Date holds.
      expect(row['session_end'] === null || String(row['session_end']) > String(row['session_start'])).toBe(true)
      break
    case 'streams':
      expect(Number(row['viewer_count'])).toBeGreaterThanOrEqual(0)
      expect(row['is_live']).toBe(state.value === 'live')
      break
    case 'recordings':
      expect(row['file_size_bytes'] === null || Number(row['file_size_bytes']) > 0).toBe(true)
      break
  }
}

function readGolden(type: string): readonly GoldenLog[] {
  return JSON.parse(readFileSync(path.join(GOLDEN, `${type}.json`), 'utf8')) as GoldenLog[]
}

/** The histories of the samples, as the machines of today decide them, one second between events. */
function makeGolden(entity: EntityDefinition): GoldenLog[] {
  return (histories[entity.type] ?? []).map(history => {
    let state = initialState(entity)
    const events = history.map((step, index) => {
      const [type, schemaVersion, data, at = new Date(Date.parse(AT) + index * 1_000).toISOString()] =
        typeof step === 'string' ? ([step, entity.events[step]?.version ?? 1, samples[step] ?? {}] as const) : step
      const event = { type, schemaVersion, at, data, state: '' }
      const decision = decide(entity, state, stamp(type, at, upcast(entity, logEvent(entity, index + 1, event))))
      if (decision === undefined) throw new Error(`${type} is refused in '${formatStateValue(state.value)}'`)
      state = decision.state
      return { ...event, state: formatStateValue(state.value) }
    })
    return { events, state, row: (entity.view?.row(1, state) ?? null) as JsonObject | null }
  })
}
