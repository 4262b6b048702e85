/** What a node keeps of its actors, loses, and brings back from the log. */
import { describe, expect, test } from 'vitest'
import type { LogEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import { accepted, made, type Stage } from './actor-system-stage.ts'

export function actorMemoryConformance(stage: Stage): void {
  const { advanceUntil, booking, startNode } = stage

  describe('bugs and supervision', () => {
    test('a machine that throws fails its command alone', async () => {
      await booking(1).send(made('table'))
      const [before, bug, after] = await Promise.allSettled([
        booking(1).send({ type: 'booking.changed', seats: 3 }),
        booking(1).send({ type: 'booking.exploded' }),
        booking(1).send({ type: 'booking.changed', seats: 4 }),
      ])
      expect(before.status).toBe('fulfilled')
      expect(bug).toMatchObject({ status: 'rejected', reason: { code: 'actor_failed' } })
      expect(after.status).toBe('fulfilled')
      expect((await booking(1).state()).context).toMatchObject({ seats: 4 })
    })

    test('an actor that keeps failing waits, each time longer, and then works again', async () => {
      await booking(1).send(made('table'))
      for (let n = 0; n < 2; n++)
        await expect(booking(1).send({ type: 'booking.exploded' })).rejects.toMatchObject({ code: 'actor_failed' })
      await expect(booking(1).send({ type: 'booking.changed', seats: 3 })).rejects.toMatchObject({
        code: 'actor_restarting',
        retryable: true,
        details: { retryAfterMs: 100 },
      })
      stage.clock.advance(100)
      await expect(booking(1).send({ type: 'booking.exploded' })).rejects.toMatchObject({ code: 'actor_failed' })
      await expect(booking(1).send({ type: 'booking.changed', seats: 3 })).rejects.toMatchObject({
        details: { retryAfterMs: 200 },
      })
      stage.clock.advance(200)
      accepted(await booking(1).send({ type: 'booking.changed', seats: 3 }))
    })
  })

  describe('time travel and snapshots', () => {
    test('the state at each version and time', async () => {
      await booking(1).send(made('table'))
      for (let seats = 1; seats <= 5; seats++) {
        stage.clock.advance(1_000)
        await booking(1).send({ type: 'booking.changed', seats })
      }
      expect((await booking(1).stateAt({ version: 0 })).state).toBe('absent')
      expect((await booking(1).stateAt({ version: 3 })).context).toMatchObject({ seats: 2 })
      expect((await booking(1).stateAt({ at: '2026-01-01T00:00:04.999Z' })).context).toMatchObject({ seats: 4 })
      expect((await booking(1).stateAt({ at: '2025-01-01T00:00:00Z' })).version).toBe(0)
      expect((await booking(1).stateAt({ at: '2030-01-01T00:00:00Z' })).version).toBe(6)
    })

    test('every hundred events a snapshot, and the same state with it as without', async () => {
      await booking(1).send(made('table'))
      for (let round = 0; round < 5; round++)
        await Promise.all(
          Array.from({ length: 50 }, (_, n) => booking(1).send({ type: 'booking.changed', seats: round * 50 + n + 1 })),
        )
      await stage.node.stop()
      const store = stage.store
      const snapshot = await store.loadSnapshot(actorRef('booking', 1))
      expect(snapshot?.version).toBeGreaterThanOrEqual(200)
      const other = await startNode()
      expect(await booking(1, other).state()).toMatchObject({ version: 251, state: 'made', context: { seats: 250 } })
      expect((await booking(1, other).stateAt({ version: 100 })).context).toMatchObject({ seats: 99 })
      expect((await booking(1, other).stateAt({ version: 251 })).context).toMatchObject({ seats: 250 })
    })

    test('a snapshot that is wrong, foreign or broken is passed over', async () => {
      const store = stage.store
      const ref = actorRef('booking', 1)
      await booking(1).send(made('table'))
      const broken = [
        { version: 1, stateVersion: 99, state: { value: 'made', context: { seats: -1 } } },
        { version: 7, stateVersion: 1, state: { value: 'made', context: { seats: -1 } } },
        { version: 8, stateVersion: 1, state: { value: 'no such state', context: {} } },
      ]
      for (const snapshot of broken) {
        await store.saveSnapshot(ref, snapshot)
        const fresh = await startNode()
        expect((await booking(1, fresh).state()).context).toMatchObject({ seats: 2 })
      }
    })
  })

  describe('actors that are said to be new', () => {
    const countReads = () => {
      const reads: string[] = []
      const { readRecorded, loadSnapshot } = stage.store
      stage.store.readRecorded = (ref, range) => {
        reads.push('events')
        return readRecorded.call(stage.store, ref, range)
      }
      stage.store.loadSnapshot = ref => {
        reads.push('snapshot')
        return loadSnapshot.call(stage.store, ref)
      }
      return reads
    }

    test('are not looked for before their first event is written', async () => {
      const reads = countReads()
      const { actor } = accepted(await stage.node.create('booking', made('table')))
      accepted(await booking(actor.id + 500).send(made('other'), { expectedVersion: 0 }))
      expect(reads).toEqual([])
    })

    test('are found where there are any, with their snapshot', async () => {
      await booking(1).send(made('table'))
      for (let round = 0; round < 3; round++)
        await Promise.all(
          Array.from({ length: 50 }, (_, n) => booking(1).send({ type: 'booking.changed', seats: round * 50 + n + 1 })),
        )
      await advanceUntil(async () => stage.node.stats().active === 0, 60_000)
      const reads = countReads()
      const refused = await booking(1).send(made('table'), { expectedVersion: 0 })
      expect(refused).toMatchObject({ ok: false, reason: 'wrong_version', version: 151, state: 'made' })
      expect(reads).toContain('snapshot')
      expect(accepted(await booking(1).send({ type: 'booking.changed', seats: 9 })).event.version).toBe(152)
    })

    test('are refused what no actor without events takes, by what the log has', async () => {
      await booking(1).send(made('table'))
      const other = await startNode()
      const change = { type: 'booking.changed', seats: 3 }
      expect(await booking(1, other).send(change, { expectedVersion: 0 })).toMatchObject({ version: 1, state: 'made' })
      expect(await booking(2, other).send(change, { expectedVersion: 0 })).toMatchObject({
        ok: false,
        reason: 'not_allowed',
        version: 0,
      })
    })
  })

  describe('memory and stopping', () => {
    test('idle actors leave memory and come back from the log', async () => {
      await booking(1).send(made('table'))
      expect(stage.node.stats().active).toBe(1)
      await advanceUntil(async () => stage.node.stats().active === 0, 60_000)
      accepted(await booking(1).send({ type: 'booking.changed', seats: 5 }))
    })

    test('a stopped node takes nothing more and has answered everything', async () => {
      await booking(1).send(made('table'))
      const sent = Array.from({ length: 20 }, () => booking(1).send({ type: 'booking.changed', seats: 3 }))
      await stage.node.stop()
      expect((await Promise.all(sent)).every(result => result.ok)).toBe(true)
      await expect(booking(1).send({ type: 'booking.changed', seats: 3 })).rejects.toMatchObject({
        code: 'shutting_down',
        retryable: true,
      })
    })

    test('listeners hear each committed event, and one that throws harms no one', async () => {
      const heard: LogEvent[] = []
      stage.node.onCommitted(() => {
        throw new Error('a bad listener')
      })
      const stop = stage.node.onCommitted(events => heard.push(...events))
      await booking(1).send(made('table'))
      await booking(1).send({ type: 'booking.changed', seats: 3 })
      stop()
      await booking(1).send({ type: 'booking.changed', seats: 4 })
      expect(heard.map(event => event.version)).toEqual([1, 2])
    })
  })
}
