/** What a register of starts promises, and what an append makes of the seals in it, whatever both are kept in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Origin } from '../../src/core/event.ts'
import type { EventStore } from '../../src/core/ports.ts'
import type { Register } from '../../src/core/register.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { append, appended, newEvent } from './log-stage.ts'

type Started = EventStore & { readonly incarnation: number; readonly register: Register }

const HOUR = 3_600_000
const ALIVE = { aheadMs: HOUR, aliveMs: HOUR }
/** Over as soon as it was entered. */
const OVER = { aheadMs: HOUR, aliveMs: -1_000 }
const [JOURNAL, ANOTHER] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const

export function registerConformance(
  name: string,
  makeFixture: () => Promise<{ open(clock: ManualClock, node: string): Promise<Started>; close(): Promise<void> }>,
): void {
  describe(`register of starts: ${name}`, () => {
    let fixture: Awaited<ReturnType<typeof makeFixture>>
    const stores: Started[] = []
    const clock = createManualClock()
    const start = async (node = 'a') => {
      const store = await fixture.open(clock, node)
      stores.push(store)
      return store
    }
    const origin = ({ incarnation }: Started, n: number, node = 'a'): Origin => ({
      basis: 0,
      clock: 'any',
      node,
      incarnation,
      n,
    })

    beforeEach(async () => {
      fixture = await makeFixture()
    })
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close()
      await fixture.close()
    })

    test('a ceiling lies ahead of the log’s clock, only rises, and asking again changes nothing', async () => {
      const { register } = await start()
      const first = await register.enter(JOURNAL, ALIVE)
      expect(first).toMatchObject({ open: [] })
      expect(first.ceiling - first.now).toBe(HOUR)
      expect((await register.enter(JOURNAL, ALIVE)).ceiling).toBeGreaterThanOrEqual(first.ceiling)
      const renewed = await register.renew(first.now, { ...ALIVE, aheadMs: 0 })
      expect(renewed?.ceiling).toBeGreaterThanOrEqual(first.ceiling)
    })

    test('the next start of the name sees the one before and leases above it; other names do not count', async () => {
      const [first, other] = [await start(), await start('b')]
      const { ceiling, now } = await first.register.enter(JOURNAL, { ...ALIVE, aheadMs: 2 * HOUR })
      await first.register.renew(now + 5, ALIVE)
      await other.register.enter(JOURNAL, ALIVE)
      const second = await start()
      const entered = await second.register.enter(ANOTHER, ALIVE)
      expect(entered.open).toEqual([{ incarnation: first.incarnation, journal: JOURNAL, ceiling, last: now + 5 }])
      expect(entered.ceiling).toBeGreaterThan(ceiling)
      // Whoever hears stamps of another node is leased as far as that one.
      expect((await other.register.renew(0, ALIVE))?.ceiling).toBeGreaterThanOrEqual(entered.ceiling)
    })

    test('whoever leaves gives back what it did not use, or keeps it', async () => {
      const [first, second] = [await start(), await start()]
      const { ceiling, now } = await first.register.enter(JOURNAL, ALIVE)
      await first.register.leave(undefined)
      expect(await second.register.starts([first.incarnation, 99])).toEqual([
        { node: 'a', incarnation: first.incarnation, ceiling, sealedN: null },
      ])
      await first.register.leave(now + 7)
      await first.register.leave(now + 9)
      expect(await second.register.starts([first.incarnation])).toMatchObject([{ ceiling: now + 7 }])
    })

    test('other nodes are named once, as long as they live', async () => {
      const [own, again, other, over, left] = [
        await start(),
        await start(),
        await start('b'),
        await start('c'),
        await start('d'),
      ]
      for (const { register } of [own, again, other, left]) await register.enter(JOURNAL, ALIVE)
      await over.register.enter(JOURNAL, OVER)
      await left.register.leave(undefined)
      expect(await own.register.others()).toEqual(['b'])
      expect(await other.register.others()).toEqual(['a'])
    })

    test('a start is sealed by a later one with its journal, or when it is not heard of any more', async () => {
      const [mine, silent, alive, another] = [await start(), await start(), await start(), await start('b')]
      await mine.register.enter(JOURNAL, ALIVE)
      await silent.register.enter(ANOTHER, OVER)
      await alive.register.enter(ANOTHER, ALIVE)
      await another.register.enter(JOURNAL, OVER)
      const last = await start()
      await last.register.enter(JOURNAL, ALIVE)
      expect((await last.register.seal(JOURNAL)).map(({ incarnation }) => incarnation).sort()).toEqual([
        mine.incarnation,
        silent.incarnation,
      ])
      expect(await last.register.seal(JOURNAL)).toEqual([])
      // Nothing but a later start seals one.
      expect(await mine.register.seal(JOURNAL)).toEqual([])
      expect(await mine.register.renew(0, ALIVE)).toBeUndefined()
      expect(await alive.register.renew(0, ALIVE)).toBeDefined()
      expect((await last.register.enter(JOURNAL, ALIVE)).open.map(({ incarnation }) => incarnation)).toEqual([
        alive.incarnation,
      ])
    })

    test('of a sealed start the log takes what it has numbers of, and nothing beyond', async () => {
      const [first, other] = [await start(), await start('b')]
      await first.register.enter(JOURNAL, ALIVE)
      appended(await first.append(append(1, 0, { origin: origin(first, 4) })))
      const second = await start()
      await second.register.enter(JOURNAL, ALIVE)
      // Not sealed yet, and an event without an origin is no dot of a journal.
      appended(await second.append(append(1, 1, { origin: origin(first, 7) })))
      appended(await second.append(append(1, 2)))
      expect(await second.register.seal(JOURNAL)).toEqual([
        expect.objectContaining({ incarnation: first.incarnation, sealedN: 7 }),
      ])
      const sealed = { outcome: 'sealed', start: `a#${first.incarnation}` }
      expect(await second.append(append(1, 3, { origin: origin(first, 8) }))).toEqual(sealed)
      expect(await other.append(append(2, 0, { origin: origin(first, 8) }))).toEqual(sealed)
      appended(await second.append(append(1, 3, { origin: origin(first, 6) })))
      // Of a name that is not this start's it says nothing.
      appended(await second.append(append(1, 4, { origin: origin(first, 8, 'b') })))
      appended(await second.append(append(1, 5, { origin: origin(second, 1) })))
      const events = (await Array.fromAsync(second.readStream(append(1, 0).actor))).flat()
      expect(events.map(event => event.origin?.n)).toEqual([4, 7, undefined, 6, 8, 1])
    })

    test('in one batch a sealed dot is refused alone, after a spent command id and a conflict', async () => {
      const first = await start()
      await first.register.enter(JOURNAL, ALIVE)
      appended(await first.append(append(3, 0, { events: [newEvent({ commandId: 'spent' })] })))
      const second = await start()
      await second.register.seal(JOURNAL)
      const dot = { origin: origin(first, 1) }
      const outcomes = await Promise.all([
        second.append(append(1, 0)),
        second.append(append(2, 0, dot)),
        second.append(append(3, 0, dot)),
        second.append(append(4, 0, { ...dot, events: [newEvent({ commandId: 'spent' })] })),
        second.append(append(5, 0, { origin: origin(second, 1) })),
      ])
      expect(outcomes.map(({ outcome }) => outcome)).toEqual([
        'appended',
        'sealed',
        'conflict',
        'duplicate',
        'appended',
      ])
    })
  })
}
