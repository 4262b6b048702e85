/** Which traces a page or a frame belongs to. */
import type { SpanContext } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { parentAndLinks, RecentCommands } from '../../src/tracing/recent-commands.ts'

const trace = (name: string, traceFlags = 1): SpanContext => ({ traceId: name, spanId: name, traceFlags })
const [a, b, c] = [trace('a'), trace('b'), trace('c')]

test('the traces of a range of positions, each once, whether the range is short or long', () => {
  const recent = new RecentCommands(10)
  for (const [position, context] of [
    [3, a],
    [4, a],
    [7, b],
    [9, c],
  ] as const)
    recent.set(position, context)
  expect(recent.between(3, 6)).toEqual([a])
  expect(recent.between(0, 7)).toEqual([a, b])
  expect(recent.between(6, 1_000_000_000)).toEqual([b, c])
  expect(recent.between(9, 12)).toEqual([])
})

test('the oldest go first when there are too many', () => {
  const recent = new RecentCommands(2)
  for (const [position, context] of [
    [1, a],
    [2, b],
    [3, c],
  ] as const)
    recent.set(position, context)
  expect([recent.get(1), recent.get(2), recent.get(3)]).toEqual([undefined, b, c])
})

test('the first that is sampled is the parent, and the others that are sampled are linked', () => {
  const unsampled = trace('unsampled', 0)
  expect(parentAndLinks([unsampled, a, unsampled, b])).toEqual({ parent: a, links: [{ context: b }] })
  expect(parentAndLinks([unsampled])).toEqual({ parent: unsampled, links: [] })
  expect(parentAndLinks([])).toEqual({ parent: undefined, links: [] })
})
