/** What every command, timer, effect and lease must do, on any event store. */
import { describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { actorMemoryConformance } from './actor-memory.conformance.ts'
import { accepted, made, openStage, type StoreFixture } from './actor-system-stage.ts'
import { commandIdsConformance } from './command-ids.conformance.ts'
import { readsConformance } from './reads.conformance.ts'
import { severalNodesConformance } from './several-nodes.conformance.ts'
import { timersAndEffectsConformance } from './timers-and-effects.conformance.ts'

export function actorSystemConformance(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`actor system on ${name}`, () => {
    const stage = openStage(makeFixture)
    const { booking, history, startNode } = stage

    describe('commands', () => {
      test('a taken command is in the log, with who, when and what state', async () => {
        const result = accepted(await booking(1).send(made('table'), { userId: 7, correlation: 'req-1' }))
        expect(result.repeated).toBe(false)
        const [event] = await history(1)
        expect(event).toMatchObject({
          actorType: 'booking',
          actorId: 1,
          version: 1,
          type: 'booking.made',
          data: { name: 'table', seats: 2 },
          state: 'made',
          at: '2026-01-01T00:00:00.000Z',
          userId: 7,
          correlation: 'req-1',
        })
        expect(event?.position).toBe(result.event.position)
      })

      test('a refused command says the state and what it allows, and writes nothing', async () => {
        await booking(1).send(made('table'))
        const refused = await booking(1).send(made('again'))
        expect(refused).toMatchObject({ ok: false, reason: 'not_allowed', state: 'made', version: 1 })
        expect(!refused.ok && refused.allowed).toContain('booking.changed')
        expect(!refused.ok && refused.allowed).not.toContain('booking.expired')
        expect(await history(1)).toHaveLength(1)
      })

      test('an unhandled event of an absent actor is a refusal, not a success', async () => {
        expect(await booking(9).send({ type: 'booking.confirmed' })).toMatchObject({
          ok: false,
          reason: 'not_allowed',
          state: 'absent',
          version: 0,
        })
        expect((await booking(9).state()).version).toBe(0)
      })

      test('unknown event types, broken data and internal events are errors', async () => {
        await expect(booking(1).send({ type: 'booking.unheard' })).rejects.toMatchObject({ code: 'unknown_type' })
        await expect(booking(1).send({ type: 'booking.made', name: 'x', seats: 0 })).rejects.toMatchObject({
          code: 'invalid_event',
        })
        await expect(booking(1).send({ type: 'booking.made', name: 'x', seats: 1, extra: true })).rejects.toMatchObject(
          { code: 'invalid_event' },
        )
        await expect(booking(1).send(made('nul\0'))).rejects.toMatchObject({ code: 'invalid_event' })
        await expect(booking(1).send(made('\ud800'))).rejects.toMatchObject({ code: 'invalid_event' })
        await expect(booking(1).send({ type: 'booking.expired' })).rejects.toMatchObject({ code: 'invalid_event' })
        expect(() => stage.node.actor(actorRef('unheard', 1))).toThrow(
          expect.objectContaining({ code: 'unknown_type' }),
        )
      })

      test('another expected version is refused', async () => {
        await booking(1).send(made('table'))
        expect(await booking(1).send({ type: 'booking.changed', seats: 3 }, { expectedVersion: 5 })).toMatchObject({
          ok: false,
          reason: 'wrong_version',
          version: 1,
        })
        accepted(await booking(1).send({ type: 'booking.changed', seats: 3 }, { expectedVersion: 1 }))
      })

      test('a reference to nothing, or to something gone, is refused', async () => {
        expect(await booking(2).send(made('child', { parent: 1 }))).toMatchObject({
          ok: false,
          reason: 'unknown_reference',
          detail: 'booking/1',
        })
        await booking(1).send(made('parent'))
        accepted(await booking(2).send(made('child', { parent: 1 })))
        await booking(1).send({ type: 'booking.cancelled' })
        expect(await booking(3).send(made('late', { parent: 1 }))).toMatchObject({
          ok: false,
          reason: 'unknown_reference',
        })
      })

      test('what actors refer to may go in the same burst: nothing is made for it afterwards', async () => {
        const other = await startNode()
        await booking(1).send(made('parent'))
        const nodes = [stage.node, other]
        // In memory, so that some are as quick as the parent.
        for (let id = 2; id < 22; id++) await booking(id, nodes[id % 2]).state()
        const child = (id: number) => booking(id, nodes[id % 2]).send(made(`child ${id}`, { parent: 1 }))
        const early = Array.from({ length: 20 }, (_, n) => child(n + 2))
        const cancelled = booking(1).send({ type: 'booking.cancelled' })
        const late = Array.from({ length: 20 }, (_, n) => child(n + 22))
        const end = accepted(await cancelled).event.position
        for (const result of await Promise.all([...early, ...late]))
          if (result.ok) expect(accepted(result).event.position).toBeLessThan(end)
          else
            expect(result).toMatchObject({
              reason: 'unknown_reference',
              detail: 'booking/1',
              state: 'absent',
              version: 0,
            })
        expect(await child(50)).toMatchObject({ ok: false, reason: 'unknown_reference' })
      })

      test('a missing reference refuses its command alone; those behind it are decided as if it had not been sent', async () => {
        await booking(1).send(made('parent'))
        const [orphan, child, changed] = await Promise.all([
          booking(2).send(made('orphan', { parent: 9 })),
          booking(2).send(made('child', { parent: 1 })),
          booking(2).send({ type: 'booking.changed', seats: 5 }),
        ])
        expect(orphan).toMatchObject({ ok: false, reason: 'unknown_reference', detail: 'booking/9' })
        expect([accepted(child).event.version, accepted(changed).event.version]).toEqual([1, 2])
        expect(await history(2)).toHaveLength(2)
      })

      test('a command that its own state refuses is told so, whatever it refers to', async () => {
        await booking(1).send(made('table'))
        expect(await booking(1).send(made('again', { parent: 9 }))).toMatchObject({ ok: false, reason: 'not_allowed' })
      })

      test('a reference that is no address is an error of its command alone', async () => {
        const [wrong, right] = await Promise.allSettled([
          booking(1).send(made('table', { parent: -1 })),
          booking(1).send(made('table')),
        ])
        expect(wrong).toMatchObject({ status: 'rejected', reason: { code: 'invalid_input' } })
        expect(right).toMatchObject({ status: 'fulfilled', value: { ok: true } })
      })

      test('fifty commands at once on one actor: all taken, versions gapless', async () => {
        await booking(1).send(made('table'))
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, n) => booking(1).send({ type: 'booking.changed', seats: n + 1 })),
        )
        expect(results.every(result => result.ok)).toBe(true)
        expect((await history(1)).map(event => event.version)).toEqual(Array.from({ length: 51 }, (_, n) => n + 1))
      })

      test('commands are decided in the order in which they were sent', async () => {
        await booking(1).send(made('table'))
        const [changed, cancelled, late] = await Promise.all([
          booking(1).send({ type: 'booking.changed', seats: 4 }),
          booking(1).send({ type: 'booking.cancelled' }),
          booking(1).send({ type: 'booking.changed', seats: 5 }),
        ])
        expect([changed.ok, cancelled.ok]).toEqual([true, true])
        expect(late).toMatchObject({ ok: false, reason: 'not_allowed', state: 'deleted', version: 3 })
      })

      test('a full mailbox refuses with a retryable error and loses nothing', async () => {
        const small = await startNode({ limits: { mailbox: 3 } })
        await booking(1, small).send(made('table'))
        const sent = Array.from({ length: 10 }, () => booking(1, small).send({ type: 'booking.changed', seats: 3 }))
        const outcomes = await Promise.allSettled(sent)
        const taken = outcomes.filter(({ status }) => status === 'fulfilled').length
        const rejected = outcomes.filter(outcome => outcome.status === 'rejected').map(({ reason }) => reason)
        expect(rejected.length).toBeGreaterThan(0)
        expect(rejected[0]).toMatchObject({ code: 'overloaded', retryable: true })
        expect(await history(1)).toHaveLength(1 + taken)
      })

      test('the time of events never goes back, whatever the clock does', async () => {
        await booking(1).send(made('table'))
        const behind = createManualClock('2025-06-01T00:00:00.000Z')
        const late = await startNode({ clock: behind })
        const result = accepted(await booking(1, late).send({ type: 'booking.changed', seats: 3 }))
        expect(result.event.at).toBe('2026-01-01T00:00:00.000Z')
      })
    })

    describe('claims', () => {
      test('a name is held by one actor, and free again when it is given up', async () => {
        await booking(1).send(made('table'))
        expect(await booking(2).send(made('table'))).toMatchObject({
          ok: false,
          reason: 'claimed',
          detail: 'booking.name',
        })
        await booking(1).send({ type: 'booking.renamed', name: 'window' })
        accepted(await booking(2).send(made('table')))
        await booking(1).send({ type: 'booking.cancelled' })
        accepted(await booking(3).send(made('window')))
      })

      test('of many who take a name at once one gets it', async () => {
        const other = await startNode()
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, n) => booking(n + 1, n % 2 === 0 ? stage.node : other).send(made('table'))),
        )
        expect(results.filter(result => result.ok)).toHaveLength(1)
      })
    })

    commandIdsConformance(stage)
    readsConformance(stage)
    severalNodesConformance(stage)
    timersAndEffectsConformance(stage)
    actorMemoryConformance(stage)
  })
}
