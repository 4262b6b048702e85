/** What readers of 24.2 are told of an event, and what not. */
import { expect, test } from 'vitest'
import type { LogEvent } from '../../src/core/event.ts'
import { LiveStreams } from '../../src/sync/live-streams.ts'
import { logEvent } from './log-events.ts'

const event = (id: number, type: string, state: string, actorType = 'stream'): LogEvent => ({
  ...logEvent(1),
  ...{ actorType, actorId: id as LogEvent['actorId'], type, state },
})
const started = (id: number) => event(id, 'stream.started', 'live')
const stopped = (id: number) => event(id, 'stream.stopped', 'idle')

test('only what changes whether a stream is live', () => {
  const streams = new LiveStreams()
  expect(streams.apply([started(1), stopped(1), started(1), event(1, 'stream.renamed', 'live')])).toEqual([
    { kind: 'started', id: 1, viewers: 0 },
    { kind: 'ended', id: 1 },
    { kind: 'started', id: 1, viewers: 0 },
  ])
  expect(streams.apply([stopped(2), event(2, 'stream.deleted', 'deleted'), event(1, 'x', 'live', 'user')])).toEqual([])
  expect(streams.apply([event(1, 'stream.deleted', 'deleted')])).toEqual([{ kind: 'ended', id: 1 }])
})

test('a live stream with states inside is live', () => {
  expect(new LiveStreams().apply([event(1, 'stream.started', '{"live":"recording"}')])).toHaveLength(1)
})

test('what is known already is not told again', () => {
  const streams = new LiveStreams()
  streams.known(1)
  expect(streams.apply([started(1)])).toEqual([])
  expect(streams.set(1, true)).toBeUndefined()
  expect(streams.set(1, false)).toEqual({ kind: 'ended', id: 1 })
  expect(streams.set(1, false)).toBeUndefined()
})

test('viewers are looked up once for each stream that is live and may have others', () => {
  const streams = new LiveStreams()
  const joined = (id: number) => event(id, 'viewer.joined', 'live')
  streams.apply([started(1), joined(1), joined(1), started(2), stopped(2), started(3)])
  expect(streams.takeChanged(1)).toEqual([1])
  expect(streams.takeChanged(10)).toEqual([3])
  expect(streams.takeChanged(10)).toEqual([])
  streams.apply([joined(1), event(3, 'stream.stats.updated', 'live')])
  expect(streams.takeChanged(10)).toEqual([1])
  expect(streams.counted(1, 7)).toEqual({ kind: 'live', id: 1, viewers: 7 })
  expect(streams.counted(2, 7)).toBeUndefined()
  expect(streams.all()).toEqual([
    { kind: 'live', id: 1, viewers: 7 },
    { kind: 'live', id: 3, viewers: 0 },
  ])
})
