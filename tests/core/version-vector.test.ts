/** Vectors and their short form say the same about who knew of whom. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Dot,
  dropSources,
  eventsBeside,
  includesDot,
  type Knowledge,
  type LoggedDot,
  mergeVectors,
  type VersionVector,
  withDot,
} from '../../src/core/version-vector.ts'
import { compareVectors, expand } from './vector-model.ts'

const SOURCES = ['a#1', 'a#2', 'b#1', 'c#1']
const vectors: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(fc.constantFrom(...SOURCES), fc.nat(3)))
  .map(entries => new Map(entries))

describe('vectors', () => {
  test('the order is the one of what they know', () => {
    fc.assert(
      fc.property(vectors, vectors, (a, b) => {
        const knows = (x: VersionVector, y: VersionVector) => SOURCES.every(s => includesDot(x, [s, y.get(s) ?? 0]))
        const expected = knows(a, b) ? (knows(b, a) ? 'equal' : 'after') : knows(b, a) ? 'before' : 'concurrent'
        expect(compareVectors(a, b)).toBe(expected)
      }),
    )
  })

  test('merging is the least upper bound: commutative, associative, idempotent', () => {
    fc.assert(
      fc.property(vectors, vectors, vectors, (a, b, c) => {
        const same = (x: VersionVector, y: VersionVector) => expect(compareVectors(x, y)).toBe('equal')
        same(mergeVectors(a, b), mergeVectors(b, a))
        same(mergeVectors(mergeVectors(a, b), c), mergeVectors(a, mergeVectors(b, c)))
        same(mergeVectors(a, a), a)
        expect(['equal', 'before']).toContain(compareVectors(a, mergeVectors(a, b)))
      }),
    )
  })

  test('sources that are dropped are named no more, and nothing else changes', () => {
    const vector = new Map([
      ['a#1', 3],
      ['b#1', 1],
    ])
    expect([...dropSources(vector, new Set(['a#1', 'x#1']))]).toEqual([['b#1', 1]])
  })

  test('dropping what all hold changes no comparison', () => {
    fc.assert(
      fc.property(vectors, vectors, (a, b) => {
        const held = (vector: VersionVector) => withDot(vector, ['a#1', 3])
        const sources = new Set(['a#1'])
        expect(compareVectors(dropSources(held(a), sources), dropSources(held(b), sources))).toBe(
          compareVectors(held(a), held(b)),
        )
      }),
    )
  })
})

interface Written extends LoggedDot {
  readonly knowledge: Knowledge
  /** The same as sets of dots: the model. */
  readonly past: ReadonlySet<string>
}

/** Logs as nodes write them: each knows a prefix, all it wrote itself, and what it heard of others' pending ones with their past. */
const logs: fc.Arbitrary<readonly Written[]> = fc
  .array(
    fc.record({
      source: fc.constantFrom(...SOURCES),
      missed: fc.nat(4),
      heard: fc.array(fc.nat(4), { maxLength: 2 }),
    }),
    { maxLength: 14 },
  )
  .map(steps => {
    const log: Written[] = []
    for (const { source, missed, heard } of steps) {
      const own = log.filter(({ dot }) => dot[0] === source)
      const basis = Math.max(log.length - missed, own.at(-1)?.knowledge.basis ?? 0, 0)
      const known = new Map<string, Written>()
      const learn = (event: Written | undefined) => {
        if (event === undefined) return
        for (const one of log) if (event.past.has(one.dot.join())) known.set(one.dot.join(), one)
        known.set(event.dot.join(), event)
      }
      for (const one of log.slice(0, basis)) learn(one)
      for (const one of own) learn(one)
      for (const back of heard) learn(log.at(-1 - back))
      const extra = [...known.values()].filter(({ version }) => version > basis).map(one => one.dot)
      const dot: Dot = [source, own.length + 1]
      log.push({ version: log.length + 1, dot, knowledge: { basis, extra }, past: new Set(known.keys()) })
    }
    return log
  })

describe('basis and extra', () => {
  const vectorOf = (event: Written, log: readonly Written[]) => withDot(expand(event.knowledge, log), event.dot)

  test('expand to the vector of all that was known', () => {
    fc.assert(
      fc.property(logs, log => {
        for (const event of log) {
          const vector = expand(event.knowledge, log)
          for (const other of log)
            if (other !== event) expect(includesDot(vector, other.dot)).toBe(event.past.has(other.dot.join()))
        }
      }),
    )
  })

  test('an event is beside exactly those whose vectors are concurrent with its own', () => {
    fc.assert(
      fc.property(logs, log => {
        for (const event of log) {
          const beside = eventsBeside(event.knowledge, event.version, log)
          const concurrent = log
            .filter(({ version }) => version < event.version)
            .filter(other => compareVectors(vectorOf(other, log), vectorOf(event, log)) === 'concurrent')
          expect(beside).toEqual(concurrent)
        }
      }),
    )
  })
})
