/** Event name patterns. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { createTopics, matchPattern } from '../../src/sync/patterns.ts'
import { createRecordingLog } from '../support/recording-log.ts'

describe('a pattern and a name', () => {
  test.each([
    ['stream.started', 'stream.started', true],
    ['stream.started', 'stream.started.twice', false],
    ['stream.started', 'stream.start', false],
    ['stream.started', 'stream', false],
    ['stream.*', 'stream.started', true],
    ['stream.*', 'stream.viewers.updated', true],
    ['stream.*', 'stream', false],
    ['stream.*', 'streams.started', false],
    ['stream.*', 'user.stream.started', false],
    ['stream.viewers.*', 'stream.viewers.updated', true],
    ['stream.viewers.*', 'stream.viewers', false],
    ['stream.viewers.*', 'stream.started', false],
    ['*', 'stream.started', true],
    ['*', 'stream.viewers.updated', true],
    ['*', 'stream', true],
  ])('%s %s: %s', (pattern, type, matches) => {
    expect(matchPattern(pattern, type)).toBe(matches)
    expect(heardBy([pattern], type)).toEqual(matches ? [pattern] : [])
    const topics = createTopics<string>({ log: createRecordingLog() })
    const stop = topics.subscribe(pattern, () => {})
    expect(topics.wants(type)).toBe(matches)
    stop()
    expect(topics.wants(type)).toBe(false)
  })
})

test.each([
  '',
  '.',
  '.*',
  '**',
  '*.started',
  'stream.*.updated',
  'stream*',
  'stream.st*',
  'stream.',
  '.stream',
  'stream..started',
  'stream.**',
  'stream .x',
  'a'.repeat(201),
])('%j is no pattern', pattern => {
  expect(() => matchPattern(pattern, 'stream.started')).toThrow(AppError)
  expect(() => createTopics({ log: createRecordingLog() }).subscribe(pattern, () => {})).toThrow(AppError)
})

const segment = fc.constantFrom('stream', 'user', 'viewers', 'x')
const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map(segments => segments.join('.'))
const pattern = fc.oneof(
  name,
  name.map(text => `${text}.*`),
  fc.constant('*'),
)

test('the trie finds exactly what matches, in the order of subscription, also after others have left', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(pattern, fc.boolean()), { maxLength: 30 }), name, (subscriptions, type) => {
      const topics = createTopics<string>({ log: createRecordingLog() })
      const heard: number[] = []
      const leave = subscriptions.map(([text], index) => topics.subscribe(text, () => void heard.push(index)))
      subscriptions.forEach(([, leaves], index) => {
        if (leaves) leave[index]?.()
      })
      topics.emit(type, 'event')
      const expected = subscriptions.flatMap(([text, left], index) =>
        !left && matchPattern(text, type) ? [index] : [],
      )
      expect(heard).toEqual(expected)
    }),
  )
})

test('one function may subscribe twice, and leaves once at a time', () => {
  const topics = createTopics<string>({ log: createRecordingLog() })
  const heard: string[] = []
  const listener = (value: string) => void heard.push(value)
  const leave = topics.subscribe('stream.*', listener)
  topics.subscribe('stream.*', listener)
  topics.emit('stream.started', 'both')
  leave()
  leave()
  topics.emit('stream.started', 'one')
  expect(heard).toEqual(['both', 'both', 'one'])
})

test('leaving again takes nothing from who came after', () => {
  const topics = createTopics<string>({ log: createRecordingLog() })
  const heard: string[] = []
  const leave = topics.subscribe('a.b', () => expect.unreachable('it has left'))
  leave()
  topics.subscribe('a.b', value => void heard.push(value))
  leave()
  topics.emit('a.b', 'told')
  expect(heard).toEqual(['told'])
})

test('a listener may leave and others may come while an event is told', () => {
  const topics = createTopics<string>({ log: createRecordingLog() })
  const heard: string[] = []
  const leave = topics.subscribe('a.b', () => {
    leave()
    topics.subscribe('a.*', value => void heard.push(value))
  })
  topics.emit('a.b', 'first')
  topics.emit('a.b', 'second')
  expect(heard).toEqual(['second'])
})

test('a listener that throws is logged and breaks no other', () => {
  const log = createRecordingLog()
  const topics = createTopics<string>({ log })
  const heard: string[] = []
  topics.subscribe('*', () => {
    throw new Error('no')
  })
  topics.subscribe('*', value => void heard.push(value))
  topics.emit('a', 'told')
  expect(heard).toEqual(['told'])
  expect(log.lines).toMatchObject([{ level: 'error' }])
})

function heardBy(patterns: readonly string[], type: string): readonly string[] {
  const topics = createTopics<string>({ log: createRecordingLog() })
  const heard: string[] = []
  for (const text of patterns) topics.subscribe(text, () => void heard.push(text))
  topics.emit(type, 'event')
  return heard
}
