/** What an event store promises of what was kept: read in order, audited, and cut short by snapshots; and of new ids. */
import { beforeEach, describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import type { EventStore } from '../../src/core/ports.ts'
import { append, type LogStage, newEvent, readAllEvents } from './log-stage.ts'

export function readsConformance(stage: LogStage): void {
  describe('reading', () => {
    test.each(['readStream', 'readRecorded'] as const)('a stream by versions, in chunks: %s', async read => {
      const many = Array.from({ length: 2_500 }, (_, n) => newEvent({ data: { n } }))
      await stage.store.append(append(1, 0, { events: many }))
      await stage.store.append(append(2, 0))
      const chunks = await Array.fromAsync(stage.store[read](actorRef('thing', 1)))
      expect(chunks.length).toBeGreaterThan(1)
      expect(chunks.flat().map(event => event.version)).toEqual(many.map((_, n) => n + 1))
      const range = async (from?: number, to?: number) =>
        (await Array.fromAsync(stage.store[read](actorRef('thing', 1), { ...(from && { from }), ...(to && { to }) })))
          .flat()
          .map(event => event.version)
      expect(await range(2_499)).toEqual([2_499, 2_500])
      expect(await range(undefined, 2)).toEqual([1, 2])
      expect(await range(7, 7)).toEqual([7])
      expect(await range(9, 3)).toEqual([])
      expect(await Array.fromAsync(stage.store[read](actorRef('thing', 3)))).toEqual([])
    })

    test('what folding reads is part of the whole event', async () => {
      await stage.store.append(append(1, 0, { events: [newEvent({ data: { n: 1 } }), newEvent({ data: { n: 2 } })] }))
      const whole = (await Array.fromAsync(stage.store.readStream(actorRef('thing', 1)))).flat()
      const recorded = (await Array.fromAsync(stage.store.readRecorded(actorRef('thing', 1)))).flat()
      expect(whole).toMatchObject(recorded)
      expect(recorded).toHaveLength(2)
    })

    test('the whole log in order, from any position', async () => {
      for (let id = 1; id <= 5; id++) await stage.store.append(append(id, 0))
      const events = await readAllEvents(stage.store)
      expect(events.map(event => event.actorId)).toEqual([1, 2, 3, 4, 5])
      expect(await stage.store.head()).toBe(events[4]?.position)
      expect((await stage.store.readAll(events[1]?.position ?? 0, 2)).map(event => event.actorId)).toEqual([3, 4])
      expect(await stage.store.readAll(await stage.store.head(), 10)).toEqual([])
      expect(await stage.store.eventAt(events[2]?.position ?? 0)).toEqual(events[2])
      expect(await stage.store.eventAt(999_999)).toBeUndefined()
    })

    test('actors of a type, by id, with their last state', async () => {
      for (const id of [3, 1, 2]) await stage.store.append(append(id, 0))
      await stage.store.append(append(2, 1, { events: [newEvent({ state: 'off' })] }))
      await stage.store.append({ ...append(4, 0), actor: actorRef('other', 4) })
      const all = await stage.store.listActors('thing', 0, 10)
      expect(all.map(({ id, version, state }) => [id, version, state])).toEqual([
        [1, 1, 'on'],
        [2, 2, 'off'],
        [3, 1, 'on'],
      ])
      expect((await stage.store.listActors('thing', 1, 1)).map(({ id }) => id)).toEqual([2])
    })
  })

  describe('audit', () => {
    beforeEach(async () => {
      await stage.store.append(
        append(1, 0, {
          events: [
            newEvent({ userId: 7, at: '2026-01-01T00:00:00.000Z' }),
            newEvent({ userId: 8, type: 'thing.changed', at: '2026-01-02T00:00:00.000Z' }),
          ],
        }),
      )
      await stage.store.append(append(2, 0, { events: [newEvent({ userId: 7, at: '2026-01-03T00:00:00.000Z' })] }))
      await stage.store.append({
        ...append(1, 0, { events: [newEvent({ at: '2026-01-04T00:00:00.000Z' })] }),
        actor: actorRef('other', 1),
      })
    })
    const found = async (query: Parameters<EventStore['audit']>[0]) =>
      (await stage.store.audit(query)).events.map(event => `${event.actorType}/${event.actorId}:${event.version}`)

    test('by user, actor, kind of actor, type and time', async () => {
      expect(await found({ userId: 7 })).toEqual(['thing/1:1', 'thing/2:1'])
      expect(await found({ actor: actorRef('thing', 1) })).toEqual(['thing/1:1', 'thing/1:2'])
      expect(await found({ actorType: 'other' })).toEqual(['other/1:1'])
      expect(await found({ type: 'thing.changed' })).toEqual(['thing/1:2'])
      expect(await found({ since: '2026-01-02T00:00:00Z', until: '2026-01-04T00:00:00Z' })).toEqual([
        'thing/1:2',
        'thing/2:1',
      ])
      expect(await found({ userId: 7, since: '2026-01-02T00:00:00Z' })).toEqual(['thing/2:1'])
      expect(await found({ userId: 99 })).toEqual([])
    })

    test('of times that lie beyond all others, or are told from far in the east or west', async () => {
      const all = (await found({})).length
      for (const since of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+23:59', '2025-12-31T23:00:00+20:00'])
        expect(await found({ since })).toHaveLength(all)
      for (const until of ['9999-12-31T23:59:59-23:59', '2026-12-31T23:00:00-20:00'])
        expect(await found({ until })).toHaveLength(all)
      expect(await found({ until: '0000-01-01T00:00:00Z' })).toEqual([])
      expect(await found({ since: '9999-12-31T23:59:59-23:59' })).toEqual([])
    })

    test('page by page, each event once', async () => {
      const seen: number[] = []
      for (let after = 0; ; ) {
        const page = await stage.store.audit({ after, limit: 3 })
        seen.push(...page.events.map(event => event.position))
        if (page.next === undefined) break
        after = page.next
      }
      expect(seen).toEqual((await readAllEvents(stage.store)).map(event => event.position))
    })

    test('a page is never longer than its bound', async () => {
      await stage.store.append(append(5, 0, { events: Array.from({ length: 1_100 }, () => newEvent()) }))
      expect((await stage.store.audit({ limit: 1_000_000 })).events).toHaveLength(1_000)
      expect((await stage.store.audit({ limit: 0 })).events).toHaveLength(1)
    })
  })

  describe('snapshots', () => {
    test('the newest is kept, an older one changes nothing', async () => {
      const ref = actorRef('thing', 1)
      expect(await stage.store.loadSnapshot(ref)).toBeUndefined()
      const at = (version: number) => ({
        version,
        stateVersion: 1,
        state: { value: { live: 'on' }, context: { version } },
      })
      await stage.store.saveSnapshot(ref, at(200))
      await stage.store.saveSnapshot(ref, at(100))
      expect(await stage.store.loadSnapshot(ref)).toEqual(at(200))
      await stage.store.saveSnapshot(ref, at(300))
      expect((await stage.store.loadSnapshot(ref))?.version).toBe(300)
    })

    test('of many saved at once each actor keeps its newest', async () => {
      const snapshot = (version: number) => ({
        version,
        stateVersion: 1,
        state: { value: 'on', context: { version } },
      })
      const saves = Array.from({ length: 500 }, (_, n) =>
        stage.store.saveSnapshot(actorRef('thing', 1 + (n % 50)), snapshot(1_000 - n)),
      )
      await Promise.all(saves)
      for (const id of [1, 2, 50])
        expect(await stage.store.loadSnapshot(actorRef('thing', id))).toEqual(snapshot(1_001 - id))
    })
  })

  describe('ids', () => {
    test('no two nodes are given the same, and none is below what is reserved', async () => {
      const other = await stage.open()
      await stage.store.reserveIds('thing', 1_000)
      const ids = await Promise.all(
        Array.from({ length: 500 }, (_, n) => (n % 2 === 0 ? stage.store : other).nextId('thing')),
      )
      expect(new Set(ids).size).toBe(500)
      expect(Math.min(...ids)).toBeGreaterThan(1_000)
      await stage.store.reserveIds('thing', 5_000)
      expect(await stage.store.nextId('thing')).toBeGreaterThan(5_000)
      await stage.store.reserveIds('thing', 5)
      expect(await stage.store.nextId('thing')).toBeGreaterThan(1_000)
      expect(await stage.store.nextId('other')).toBe(1)
    })
  })
}
