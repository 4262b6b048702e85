/** Whatever happens in whatever pages, on whichever of two nodes, the table is what folding says, and a rebuild agrees. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Projections } from '../../src/projections/projections.ts'
import { systemClock } from '../../src/system-clock.ts'
import { ItemLog } from './item-log.ts'

const IDS = 6
const NAMES = ['a', 'b', 'c', 'd']

/** `id` and `name` are chosen here; whether the step is possible shows when its turn comes. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('item.made', 'item.renamed', 'item.sized', 'item.removed'),
      id: fc.integer({ min: 1, max: IDS }),
      name: fc.constantFrom(...NAMES),
      size: fc.integer({ min: 14, max: 1_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('project'), node: fc.constantFrom(0, 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart'), node: fc.constantFrom(0, 1) }) },
)

test('any history in any pages', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
      const log = await ItemLog.open()
      try {
        const nodes: Projections[] = [await log.start({ clock: systemClock }), await log.start({ clock: systemClock })]
        // What claims see to: nobody takes a name that another one has.
        const held = new Map<number, string>()
        const free = (name: string) => ![...held.values()].includes(name)
        for (const next of steps) {
          if ('node' in next) {
            if (next.kind === 'restart') {
              await nodes[next.node]?.stop()
              nodes[next.node] = await log.start({ clock: systemClock })
            }
            await nodes[next.node]?.caughtUp()
            expect(await log.rows()).toEqual(log.expectedRows())
            continue
          }
          const { kind, id, name, size } = next
          const made = log.isMade(id)
          if (kind === 'item.made' && !made && free(name)) {
            await log.write('item', id, { type: kind, name })
            held.set(id, name)
          } else if (kind === 'item.renamed' && held.has(id) && (free(name) || held.get(id) === name)) {
            await log.write('item', id, { type: kind, name })
            held.set(id, name)
          } else if (kind === 'item.sized' && held.has(id)) {
            await log.write('item', id, { type: kind, size })
          } else if (kind === 'item.removed' && held.has(id)) {
            await log.write('item', id, { type: kind })
            held.delete(id)
          }
        }
        await nodes[0]?.caughtUp()
        expect(await log.rows()).toEqual(log.expectedRows())
        expect(await nodes[0]?.failures()).toEqual([])
        const { tables } = await log.rebuild({ verifyOnly: true })
        expect(tables).toMatchObject([{ rows: held.size, missing: 0, extra: 0, different: 0, unknown: 0 }])
      } finally {
        await log.close()
      }
    }),
    { numRuns: 12 },
  )
}, 240_000)
