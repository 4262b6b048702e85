/** Times on air of a stream: each has a name of its own, however short they are. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import type { ActorState } from '../../src/core/state.ts'
import { broadcast } from '../../src/machines/broadcast/index.ts'
import { type Decision, decide, initialState, stamp } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { stream } from '../../src/machines/stream/index.ts'
import { samples } from './samples.ts'

const AT = '2026-01-01T12:00:00.000Z'
const LATER = '2026-01-01T12:00:00.001Z'
const IMPORTED = { row: { ...(samples['stream.imported']?.['row'] as JsonObject), is_live: true } }

type Step = readonly [type: string, at: string, data?: JsonObject]

/** The decision on each event; undefined where it is refused. */
function decisions(entity: EntityDefinition, steps: readonly Step[]): readonly (Decision | undefined)[] {
  let state: ActorState = initialState(entity)
  return steps.map(([type, at, data]) => {
    const decision = decide(entity, state, stamp(type, at, data ?? samples[type] ?? {}))
    state = decision?.state ?? state
    return decision
  })
}

const effectsOf = (steps: readonly Step[]) =>
  decisions(stream, steps).flatMap(
    decision => decision?.effects.map(({ name, input }) => [name, input['airing']]) ?? [],
  )

const BURST: readonly Step[] = [
  ['stream.created', AT],
  ['stream.started', AT],
  ['stream.stopped', AT],
  ['stream.started', AT],
  ['stream.stopped', AT],
  ['stream.started', AT],
]

test('the first of a millisecond is named by when it began, the others are numbered', () => {
  const later: readonly Step[] = [
    ['stream.stopped', LATER],
    ['stream.started', LATER],
    ['stream.stopped', LATER],
  ]
  expect(effectsOf([...BURST, ...later])).toEqual([
    [`openBroadcast:${AT}`, AT],
    [`closeBroadcast:${AT}`, AT],
    [`openBroadcast:${AT}#1`, `${AT}#1`],
    [`closeBroadcast:${AT}#1`, `${AT}#1`],
    [`openBroadcast:${AT}#2`, `${AT}#2`],
    [`closeBroadcast:${AT}#2`, `${AT}#2`],
    [`openBroadcast:${LATER}`, LATER],
    [`closeBroadcast:${LATER}`, LATER],
  ])
})

test('the deletion of a live stream ends the time on air it is in', () => {
  expect(effectsOf([...BURST, ['stream.deleted', AT]]).at(-1)).toEqual([`closeBroadcast:${AT}#2`, `${AT}#2`])
})

describe('the broadcast that was opened', () => {
  const opened = (airing: string | undefined, startedAt = AT): Step => [
    'stream.broadcast.opened',
    AT,
    { broadcastId: 9, startedAt, ...(airing === undefined ? {} : { airing }) },
  ]
  const isTaken = (step: Step) => decisions(stream, [...BURST, step]).at(-1)?.state.context['broadcastId'] === 9

  test('is that of this time on air, and of no other that began in its millisecond', () => {
    expect([AT, `${AT}#1`, `${AT}#2`, `${AT}#3`].map(airing => isTaken(opened(airing)))).toEqual([
      false,
      false,
      true,
      false,
    ])
  })

  test('is told by its start alone where the log has it from an earlier release', () => {
    expect(isTaken(opened(undefined))).toBe(true)
    expect(isTaken(opened(undefined, LATER))).toBe(false)
  })
})

describe('a stream that was live in 24.2', () => {
  test('ends what it was imported with, and begins anew under a name of its own', () => {
    const microseconds = '2026-01-01T12:00:00.000000Z'
    for (const [started, name] of [
      [microseconds, microseconds],
      // It would be named by its end, were it not for the empty name.
      [null, ''],
    ] as const)
      expect(
        effectsOf([
          ['stream.imported', AT, { row: { ...IMPORTED.row, started_at: started } }],
          ['stream.stopped', AT],
          ['stream.started', AT],
        ]),
      ).toEqual([
        [`closeBroadcast:${name}`, name],
        [`openBroadcast:${AT}`, AT],
      ])
  })

  test('ends no broadcast but one of 24.2', () => {
    const row = { ...(samples['broadcast.imported']?.['row'] as JsonObject), session_end: null }
    const end = (more: JsonObject): Step => ['broadcast.ended', AT, { ...samples['broadcast.ended'], ...more }]
    const ends = (begin: Step, more: JsonObject) => decisions(broadcast, [begin, end(more)]).at(-1)?.state.value
    const begun: Step = ['broadcast.started', AT]
    const imported: Step = ['broadcast.imported', AT, { row }]
    expect(ends(begun, { imported: true })).toBeUndefined()
    expect([ends(begun, {}), ends(imported, {}), ends(imported, { imported: true })]).toEqual([
      'ended',
      'ended',
      'ended',
    ])
  })
})
