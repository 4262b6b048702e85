/** The histories in which the rarest faults show, and a generator that strays from them: left to chance, they take tens of thousands of runs. */
import fc from 'fast-check'
import { type ExchangeStep, exchangeSteps } from './exchange-steps.ts'

const member = 'admin'

/** b removes what a has promised to remember; a loses its disk and starts from c, which has not heard; b forgets too early. */
export const forgottenPromise: readonly ExchangeStep[] = [
  { kind: 'remove', node: 1, member },
  { kind: 'pull', node: 0, from: 1 },
  { kind: 'promise at once', node: 0 },
  { kind: 'lose disk', node: 0, from: 2 },
  { kind: 'pull', node: 2, from: 1 },
  { kind: 'promise at once', node: 2 },
  { kind: 'promise at once', node: 1 },
  { kind: 'prune', node: 1 },
  { kind: 'add', node: 0, member },
  { kind: 'pull', node: 1, from: 0 },
]

/** What a wrote before it lost its disk arrives when all have agreed to forget the removal it did not know of. */
export const lateWordOfTheDead: readonly ExchangeStep[] = [
  { kind: 'add', node: 0, member },
  { kind: 'lose disk', node: 0, from: 2 },
  { kind: 'remove', node: 1, member },
  { kind: 'pull', node: 0, from: 1 },
  { kind: 'pull', node: 2, from: 1 },
  { kind: 'promise at once', node: 0 },
  { kind: 'promise at once', node: 1 },
  { kind: 'promise at once', node: 2 },
  { kind: 'prune', node: 2 },
  { kind: 'deliver', which: 1, doubled: false },
]

/** The story with its parts given to other nodes, some of it left out, and up to six other steps put in anywhere. */
export function strayingFrom(story: readonly ExchangeStep[]): fc.Arbitrary<readonly ExchangeStep[]> {
  return fc
    .record({
      cast: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      dropped: fc.array(fc.nat(story.length * 4), { maxLength: 2 }),
      others: fc.array(fc.tuple(fc.nat(story.length), exchangeSteps), { maxLength: 6 }),
    })
    .map(({ cast, dropped, others }) => {
      const told = story.flatMap((step, index) => {
        const between = others.flatMap(([at, steps]) => (at === index ? steps.slice(0, 1) : []))
        return dropped.includes(index) ? between : [...between, recast(step, cast)]
      })
      return told
    })
}

function recast(step: ExchangeStep, cast: readonly number[]): ExchangeStep {
  const to = (index: number) => cast[index] ?? index
  if ('from' in step) return { ...step, node: to(step.node), from: to(step.from) }
  return 'node' in step ? { ...step, node: to(step.node) } : step
}
