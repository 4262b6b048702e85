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
import { AT, samples } from './samples.ts'

const GOLDEN = path.resolve(import.meta.dirname, '../fixtures/golden')

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
    const golden = JSON.parse(readFileSync(file, 'utf8')) as GoldenLog
    const state = golden.events.reduce(
      (before, event, index) => fold(entity, before, logEvent(entity, index + 1, event)),
      initialState(entity),
    )
    expect(state).toEqual(golden.state)
    expect(entity.view?.row(1, state) ?? null).toEqual(golden.row)
    // A golden log that misses events proves less than it seems to.
    const covered = new Set(golden.events.map(event => event.type))
    expect(golden.events.length).toBeGreaterThanOrEqual(type === 'usage' ? 1 : 3)
    expect([...covered].every(event => Object.hasOwn(entity.events, event))).toBe(true)
  })

  test('has an old event in its golden log for each upcaster', () => {
    const golden = JSON.parse(readFileSync(path.join(GOLDEN, `${type}.json`), 'utf8')) as GoldenLog
    for (const [event, definition] of Object.entries(entity.events))
      for (let version = 1; version < definition.version; version++)
        expect(
          golden.events.some(recorded => recorded.type === event && recorded.schemaVersion === version),
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
          expect(JSON.parse(JSON.stringify(state))).toEqual(state)
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

/** A log that takes each event that can be taken, in registry order, until none is left; old versions come first. */
function makeGolden(entity: EntityDefinition): GoldenLog {
  const events: GoldenLog['events'][number][] = []
  let state = initialState(entity)
  let now = Date.parse(AT)
  const take = (type: string, schemaVersion: number, data: JsonObject): boolean => {
    const at = new Date(now).toISOString()
    const event = logEvent(entity, events.length + 1, { type, schemaVersion, at, data, state: '' })
    const decision = decide(entity, state, stamp(type, at, upcast(entity, event)))
    if (decision === undefined) return false
    now += 1_000
    state = decision.state
    events.push({ type, schemaVersion, at, data, state: formatStateValue(state.value) })
    return true
  }
  const old: Readonly<Record<string, JsonObject>> = { 'stream.started': { bitrate: 5000, resolution: '1280x720' } }
  const ending = /(?:deleted|closed|revoked|expired|ended)$/
  const types = Object.keys(entity.events)
  for (const type of [...types.filter(name => !ending.test(name)), ...types.filter(name => ending.test(name))]) {
    const past = old[type]
    if (past !== undefined && take(type, 1, past)) take('stream.stopped', 1, {})
    take(type, entity.events[type]?.version ?? 1, samples[type] ?? {})
  }
  return { events, state, row: (entity.view?.row(1, state) ?? null) as JsonObject | null }
}
