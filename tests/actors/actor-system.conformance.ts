/** What every command, timer, effect and lease must do, on any event store. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ActorSystem, ActorSystemOptions } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import type { LogEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { EventStore } from '../../src/core/ports.ts'
import type { CommandResult } from '../../src/core/result.ts'
import { silentLogger } from '../../src/logging.ts'
import type { Effect } from '../../src/machines/define.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

const PATIENCE_MS = 20_000

export interface StoreFixture {
  /** Another store on the same log, as another node has. */
  open(clock: ManualClock): Promise<EventStore>
  close(): Promise<void>
}

export function actorSystemConformance(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`actor system on ${name}`, () => {
    let fixture: StoreFixture
    let clock: ManualClock
    let node: ActorSystem
    const systems: ActorSystem[] = []
    const stores: EventStore[] = []

    async function startNode(options: Partial<ActorSystemOptions> = {}): Promise<ActorSystem> {
      const store = options.store ?? (await fixture.open(clock))
      stores.push(store)
      const system = createActorSystem({
        store,
        entities: [bookingEntity()],
        clock,
        log: silentLogger,
        holder: `node-${systems.length}`,
        ...options,
      })
      systems.push(system)
      await system.start()
      return system
    }

    beforeEach(async () => {
      clock = createManualClock()
      fixture = await makeFixture()
      node = await startNode()
    })

    afterEach(async () => {
      for (const system of systems.splice(0)) await system.stop()
      for (const store of stores.splice(0)) await store.close()
      await fixture.close()
    })

    const booking = (id: number, on: ActorSystem = node) => on.actor(actorRef('booking', id))
    const made = (bookingName: string, more: object = {}) => ({
      type: 'booking.made',
      name: bookingName,
      seats: 2,
      ...more,
    })
    const history = async (id: number, on: ActorSystem = node) =>
      (await Array.fromAsync(booking(id, on).history())).flat()
    const accepted = (result: CommandResult) => {
      if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`)
      return result
    }

    /** Moves time on step by step, letting the work of each step go on, until the condition holds. The patience is for a busy machine. */
    async function advanceUntil(done: () => Promise<boolean>, stepMs = 1_000): Promise<void> {
      const deadline = performance.now() + PATIENCE_MS
      while (performance.now() < deadline) {
        if (await done()) return
        clock.advance(stepMs)
        for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
      }
      throw new Error('the condition never held')
    }

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
        expect(() => node.actor(actorRef('unheard', 1))).toThrow(expect.objectContaining({ code: 'unknown_type' }))
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
        const nodes = [node, other]
        // In memory, so that some are as quick as the parent.
        for (let id = 2; id < 22; id++) await booking(id, nodes[id % 2]).state()
        const child = (id: number) => booking(id, nodes[id % 2]).send(made(`child ${id}`, { parent: 1 }))
        const early = Array.from({ length: 20 }, (_, n) => child(n + 2))
        const cancelled = booking(1).send({ type: 'booking.cancelled' })
        const late = Array.from({ length: 20 }, (_, n) => child(n + 22))
        const end = accepted(await cancelled).event.position
        for (const result of await Promise.all([...early, ...late]))
          if (result.ok) expect(result.event.position).toBeLessThan(end)
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

    describe('command ids', () => {
      test('a retry gets the first outcome, after the state moved on too, on another node and after a restart', async () => {
        const first = accepted(await booking(1).send(made('table'), { commandId: 'make-1' }))
        await booking(1).send({ type: 'booking.confirmed' })
        const other = await startNode()
        for (const on of [node, other]) {
          const again = accepted(await booking(1, on).send(made('table'), { commandId: 'make-1' }))
          expect(again).toMatchObject({ repeated: true, event: { position: first.event.position, version: 1 } })
        }
      })

      test('the same id twice at once is taken once', async () => {
        await booking(1).send(made('table'))
        const results = await Promise.all(
          Array.from({ length: 5 }, () =>
            booking(1).send({ type: 'booking.changed', seats: 9 }, { commandId: 'change-1' }),
          ),
        )
        expect(results.map(result => accepted(result).repeated).sort()).toEqual([false, true, true, true, true])
        expect(await history(1)).toHaveLength(2)
      })

      test('a retry gets the first outcome though what it refers to has gone since', async () => {
        await booking(1).send(made('parent'))
        const child = made('child', { parent: 1 })
        const first = accepted(await node.create('booking', child, { commandId: 'create-1' }))
        await booking(1).send({ type: 'booking.cancelled' })
        expect(accepted(await node.create('booking', child, { commandId: 'create-1' }))).toMatchObject({
          repeated: true,
          actor: first.actor,
        })
        const again = booking(first.actor.id, await startNode()).send(child, { commandId: 'create-1' })
        expect(accepted(await again).repeated).toBe(true)
      })

      test('an id spent on something else is an error', async () => {
        await booking(1).send(made('table'), { commandId: 'c' })
        await expect(booking(1).send(made('other'), { commandId: 'c' })).rejects.toMatchObject({
          code: 'command_id_reused',
        })
        await expect(booking(2).send(made('table'), { commandId: 'c' })).rejects.toMatchObject({
          code: 'command_id_reused',
        })
      })

      test('a refusal does not spend the id', async () => {
        expect((await booking(1).send({ type: 'booking.changed', seats: 3 }, { commandId: 'c' })).ok).toBe(false)
        await booking(1).send(made('table'))
        expect(
          accepted(await booking(1).send({ type: 'booking.changed', seats: 3 }, { commandId: 'c' })).repeated,
        ).toBe(false)
      })

      test('creating twice under one id makes one actor', async () => {
        const first = accepted(await node.create('booking', made('table'), { commandId: 'create-1' }))
        const again = accepted(await node.create('booking', made('table'), { commandId: 'create-1' }))
        expect(again.actor).toEqual(first.actor)
        expect(again.repeated).toBe(true)
      })
    })

    describe('several nodes on one log', () => {
      test('both change one actor: nothing is lost, versions are gapless', async () => {
        const other = await startNode()
        await booking(1).send(made('table'))
        const results = await Promise.all(
          Array.from({ length: 40 }, (_, n) =>
            booking(1, n % 2 === 0 ? node : other).send({ type: 'booking.changed', seats: n + 1 }),
          ),
        )
        expect(results.every(result => result.ok)).toBe(true)
        expect((await history(1)).map(event => event.version)).toEqual(Array.from({ length: 41 }, (_, n) => n + 1))
      })

      test('a refusal is decided on the newest state, not on an old copy', async () => {
        const other = await startNode()
        await booking(1).send(made('table'))
        await booking(1, other).send({ type: 'booking.cancelled' })
        expect(
          await booking(1)
            .send({ type: 'booking.ticket.sent', ticket: 'x' })
            .catch(error => error.code),
        ).toBe('invalid_event')
        expect(await booking(1).send({ type: 'booking.changed', seats: 3 })).toMatchObject({
          ok: false,
          state: 'deleted',
        })
      })

      test('a state that only the log knows is found by a command this copy would refuse', async () => {
        const other = await startNode()
        expect((await booking(1).state()).version).toBe(0)
        await booking(1, other).send(made('table'))
        accepted(await booking(1).send({ type: 'booking.changed', seats: 3 }))
        expect((await booking(1, other).state()).context).toMatchObject({ seats: 3 })
      })

      test('ids of new actors never collide', async () => {
        const other = await startNode()
        const results = await Promise.all(
          Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? node : other).create('booking', made(`table ${n}`))),
        )
        expect(new Set(results.map(result => accepted(result).actor.id)).size).toBe(60)
      })

      test('frames of another node move the copy in memory', async () => {
        const other = await startNode()
        other.onCommitted(events => node.hear(events))
        await booking(1).send(made('table'))
        await booking(1, other).send({ type: 'booking.changed', seats: 8 })
        expect((await booking(1).state()).context).toMatchObject({ seats: 8 })
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
          Array.from({ length: 20 }, (_, n) => booking(n + 1, n % 2 === 0 ? node : other).send(made('table'))),
        )
        expect(results.filter(result => result.ok)).toHaveLength(1)
      })
    })

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
        clock.advance(100)
        await expect(booking(1).send({ type: 'booking.exploded' })).rejects.toMatchObject({ code: 'actor_failed' })
        await expect(booking(1).send({ type: 'booking.changed', seats: 3 })).rejects.toMatchObject({
          details: { retryAfterMs: 200 },
        })
        clock.advance(200)
        accepted(await booking(1).send({ type: 'booking.changed', seats: 3 }))
      })
    })

    describe('time travel and snapshots', () => {
      test('the state at each version and time', async () => {
        await booking(1).send(made('table'))
        for (let seats = 1; seats <= 5; seats++) {
          clock.advance(1_000)
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
            Array.from({ length: 50 }, (_, n) =>
              booking(1).send({ type: 'booking.changed', seats: round * 50 + n + 1 }),
            ),
          )
        await node.stop()
        const store = stores[0] as EventStore
        const snapshot = await store.loadSnapshot(actorRef('booking', 1))
        expect(snapshot?.version).toBeGreaterThanOrEqual(200)
        const other = await startNode()
        expect(await booking(1, other).state()).toMatchObject({ version: 251, state: 'made', context: { seats: 250 } })
        expect((await booking(1, other).stateAt({ version: 100 })).context).toMatchObject({ seats: 99 })
        expect((await booking(1, other).stateAt({ version: 251 })).context).toMatchObject({ seats: 250 })
      })

      test('a snapshot that is wrong, foreign or broken is passed over', async () => {
        const store = stores[0] as EventStore
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

    describe('durable timers', () => {
      const expiring = { expiresAt: '2026-01-01T00:10:00.000Z' }
      const state = async (on: ActorSystem = node) => (await booking(1, on).state()).state

      test('fire when due, once, on one of several nodes', async () => {
        await startNode()
        await booking(1).send(made('table', expiring))
        clock.advance(9 * 60_000)
        expect(await state()).toBe('made')
        await advanceUntil(async () => (await state()) === 'expired', 5_000)
        const log = await history(1)
        expect(log.map(event => event.type)).toEqual(['booking.made', 'booking.expired'])
      })

      test('survive a restart', async () => {
        await booking(1).send(made('table', expiring))
        await node.stop()
        clock.advance(3_600_000)
        const restarted = await startNode()
        await advanceUntil(async () => (await state(restarted)) === 'expired')
      })

      test('move when they are set again, and go when the state is left', async () => {
        await booking(1).send(made('table', expiring))
        await booking(1).send({ type: 'booking.extended', expiresAt: '2026-01-01T02:00:00.000Z' })
        await booking(2).send(made('other', expiring))
        await booking(2).send({ type: 'booking.cancelled' })
        clock.advance(3_600_000)
        await booking(3).send(made('third', { expiresAt: '2026-01-01T01:00:01.000Z' }))
        await advanceUntil(async () => (await booking(3).state()).state === 'expired')
        expect(await state()).toBe('made')
        expect((await booking(2).state()).state).toBe('deleted')
        await advanceUntil(async () => (await state()) === 'expired', 60_000)
      })

      test('one that is refused when due is settled, not tried for ever', async () => {
        // No expiry was given, so the machine refuses the event.
        await booking(1).send(made('table'))
        await advanceUntil(async () => (await (stores[0] as EventStore).nextTimerAt()) === undefined)
        expect(await state()).toBe('made')
      })
    })

    describe('effects', () => {
      test('run after the commit and log their outcome', async () => {
        await booking(1).send(made('table'))
        const confirmed = accepted(await booking(1).send({ type: 'booking.confirmed' }))
        await node.effectsIdle()
        const log = await history(1)
        expect(log.at(-1)).toMatchObject({
          type: 'booking.ticket.sent',
          state: 'ticketed',
          causation: confirmed.event.position,
          data: { ticket: 'booking/1:ticket:2' },
        })
        expect(await (stores[0] as EventStore).nextTimerAt()).toBeUndefined()
      })

      test('one that fails runs again until it succeeds', async () => {
        let runs = 0
        const flaky: Effect = async ({ key }) => {
          runs++
          if (runs < 3) throw new Error('the printer is away')
          return { type: 'booking.ticket.sent', ticket: key }
        }
        const other = await startNode({ entities: [bookingEntity(flaky)] })
        await node.stop()
        await booking(1, other).send(made('table'))
        await booking(1, other).send({ type: 'booking.confirmed' })
        await advanceUntil(async () => (await booking(1, other).state()).state === 'ticketed', 10_000)
        expect(runs).toBe(3)
      })

      test('one that a crash interrupted runs on another node, and its outcome is logged once', async () => {
        const never: Effect = () => new Promise(() => {})
        const dying = createActorSystem({
          store: stores[0] as EventStore,
          entities: [bookingEntity(never)],
          clock,
          log: silentLogger,
          holder: 'dying',
        })
        await booking(1, dying).send(made('table'))
        await booking(1, dying).send({ type: 'booking.confirmed' })
        await advanceUntil(async () => (await booking(1).state()).state === 'ticketed', 10_000)
        const log = await history(1)
        expect(log.filter(event => event.type === 'booking.ticket.sent')).toHaveLength(1)
      })

      test('one whose state was left is over, and its outcome changes nothing', async () => {
        const running = Promise.withResolvers<void>()
        const finish = Promise.withResolvers<void>()
        const slow: Effect = async ({ key }) => {
          running.resolve()
          await finish.promise
          return { type: 'booking.ticket.sent', ticket: key }
        }
        const other = await startNode({ entities: [bookingEntity(slow)] })
        await booking(1, other).send(made('table'))
        await booking(1, other).send({ type: 'booking.confirmed' })
        await booking(1, other).send({ type: 'booking.cancelled' })
        expect(await (stores[0] as EventStore).nextTimerAt()).toBeUndefined()
        await running.promise
        finish.resolve()
        await other.effectsIdle()
        expect((await history(1)).map(event => event.type)).toEqual([
          'booking.made',
          'booking.confirmed',
          'booking.cancelled',
        ])
      })
    })

    describe('ownership', () => {
      const single = () => [bookingEntity(undefined, { singleOwner: true })]

      test('an actor with a single owner is refused elsewhere until its lease ends', async () => {
        const owner = await startNode({ entities: single() })
        const other = await startNode({ entities: single() })
        const first = accepted(await booking(1, owner).send(made('table')))
        expect(first.event.token).toBeGreaterThan(0)
        await expect(booking(1, other).send({ type: 'booking.changed', seats: 3 })).rejects.toMatchObject({
          code: 'fenced',
        })
        await owner.stop()
        const taken = accepted(await booking(1, other).send({ type: 'booking.changed', seats: 3 }))
        expect(taken.event.token).toBeGreaterThan(first.event.token ?? 0)
      })

      test('work under a lease runs on one node at a time', async () => {
        const other = await startNode()
        const inside = await node.withLease('job', 10_000, async lease => {
          expect(await other.withLease('job', 10_000, async () => 'both')).toBeUndefined()
          return lease.token
        })
        expect(await other.withLease('job', 10_000, async lease => lease.token)).toBeGreaterThan(inside ?? 0)
      })
    })

    describe('memory and stopping', () => {
      test('idle actors leave memory and come back from the log', async () => {
        await booking(1).send(made('table'))
        expect(node.stats().active).toBe(1)
        await advanceUntil(async () => node.stats().active === 0, 60_000)
        accepted(await booking(1).send({ type: 'booking.changed', seats: 5 }))
      })

      test('a stopped node takes nothing more and has answered everything', async () => {
        await booking(1).send(made('table'))
        const sent = Array.from({ length: 20 }, () => booking(1).send({ type: 'booking.changed', seats: 3 }))
        await node.stop()
        expect((await Promise.all(sent)).every(result => result.ok)).toBe(true)
        await expect(booking(1).send({ type: 'booking.changed', seats: 3 })).rejects.toMatchObject({
          code: 'shutting_down',
          retryable: true,
        })
      })

      test('listeners hear each committed event, and one that throws harms no one', async () => {
        const heard: LogEvent[] = []
        node.onCommitted(() => {
          throw new Error('a bad listener')
        })
        const stop = node.onCommitted(events => heard.push(...events))
        await booking(1).send(made('table'))
        await booking(1).send({ type: 'booking.changed', seats: 3 })
        stop()
        await booking(1).send({ type: 'booking.changed', seats: 4 })
        expect(heard.map(event => event.version)).toEqual([1, 2])
      })
    })
  })
}
