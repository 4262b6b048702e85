/** What every sealed log does, in memory and in Postgres. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { summary } from '../../src/audit/digest.ts'
import { RANGE, sealLog } from '../../src/audit/seal-log.ts'
import { verifyLog } from '../../src/audit/verify.ts'
import type { EventStore, SealedLog } from '../../src/core/ports.ts'
import { systemClock } from '../../src/system-clock.ts'
import { appendNotes } from '../support/events.ts'

export interface SealedLogFixture {
  readonly store: EventStore
  readonly log: SealedLog
  close(): Promise<void>
}

export function sealedLogConformance(name: string, open: () => Promise<SealedLogFixture>): void {
  describe(`sealed log: ${name}`, () => {
    let fixture: SealedLogFixture
    let log: SealedLog
    beforeEach(async () => {
      fixture = await open()
      log = fixture.log
    })
    afterEach(() => fixture.close())
    const seal = () => sealLog({ log, clock: systemClock })

    test('an empty log has nothing to seal and nothing to verify', async () => {
      expect(await seal()).toEqual({ seals: 0, events: 0 })
      expect(await log.lastSeal()).toBeUndefined()
      expect(await verifyLog({ log })).toMatchObject({ ok: true, seals: 0, events: 0, unsealed: 0 })
    })

    test('seals follow each other, and an intact log verifies', async () => {
      for (const count of [3, 1, 4]) {
        await appendNotes(fixture.store, count)
        expect(await seal()).toEqual({ seals: 1, events: count })
      }
      expect(await seal()).toEqual({ seals: 0, events: 0 })
      await appendNotes(fixture.store, 2)
      const seals = await log.seals(0, 10)
      expect(seals.map(({ number, events }) => [number, events])).toEqual([
        [1, 3],
        [2, 1],
        [3, 4],
      ])
      expect(seals.slice(1).map(({ previous }) => previous)).toEqual(seals.slice(0, -1).map(({ hash }) => hash))
      expect(await log.lastSeal()).toMatchObject({ number: 3, last: seals[2]?.last, hash: seals[2]?.hash })
      expect(await verifyLog({ log })).toEqual({
        ok: true,
        seals: 3,
        exported: 0,
        events: 8,
        sealed: seals[2]?.last,
        unsealed: 2,
        findings: [],
      })
    })

    test('a range holds so many events and no more', async () => {
      await fixture.store.append({
        actor: { type: 'note', id: (await fixture.store.nextId('note')) as never },
        expectedVersion: 0,
        events: Array.from({ length: RANGE + 5 }, (_, n) => ({
          type: 'note.taken',
          schemaVersion: 1,
          data: { n },
          state: 'taken',
          at: '2026-01-01T00:00:00Z',
          userId: null,
          commandId: null,
          causation: null,
          correlation: null,
        })),
      })
      expect(await seal()).toEqual({ seals: 2, events: RANGE + 5 })
      expect((await log.seals(0, 10)).map(({ events }) => events)).toEqual([RANGE, 5])
      expect((await verifyLog({ log })).ok).toBe(true)
    })

    test('seals come in pages; a number is taken once', async () => {
      for (let round = 0; round < 5; round++) {
        await appendNotes(fixture.store, 1)
        await seal()
      }
      expect((await log.seals(1, 2)).map(({ number }) => number)).toEqual([2, 3])
      expect(await log.seals(5, 2)).toEqual([])
      const [first] = await log.seals(0, 1)
      if (first === undefined) throw new Error('no seal')
      expect(await log.addSeal({ ...first, events: 99 })).toBe(false)
      expect(await log.seals(0, 1)).toEqual([first])
    })

    test('exported seals are the seals without their marks', async () => {
      await appendNotes(fixture.store, 2)
      await seal()
      const [first] = await log.seals(0, 1)
      if (first === undefined) throw new Error('no seal')
      const exported = new Map([[1, summary(first)]])
      expect(await verifyLog({ log, exported })).toMatchObject({ ok: true, exported: 1 })
      expect(Object.keys(summary(first))).not.toContain('marks')
    })
  })
}
