/** What happens without a command: due timers, and effects until their outcome is logged. */
import { describe, expect, test } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import { silentLogger } from '../../src/logging.ts'
import type { Effect } from '../../src/machines/define.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { accepted, made, type Stage } from './actor-system-stage.ts'

export function timersAndEffectsConformance(stage: Stage): void {
  const { advanceUntil, booking, history, startNode } = stage

  describe('durable timers', () => {
    const expiring = { expiresAt: '2026-01-01T00:10:00.000Z' }
    const state = async (on: ActorSystem = stage.node) => (await booking(1, on).state()).state

    test('fire when due, once, on one of several nodes', async () => {
      await startNode()
      await booking(1).send(made('table', expiring))
      stage.clock.advance(9 * 60_000)
      expect(await state()).toBe('made')
      await advanceUntil(async () => (await state()) === 'expired', 5_000)
      const log = await history(1)
      expect(log.map(event => event.type)).toEqual(['booking.made', 'booking.expired'])
    })

    test('survive a restart', async () => {
      await booking(1).send(made('table', expiring))
      await stage.node.stop()
      stage.clock.advance(3_600_000)
      const restarted = await startNode()
      await advanceUntil(async () => (await state(restarted)) === 'expired')
    })

    test('move when they are set again, and go when the state is left', async () => {
      await booking(1).send(made('table', expiring))
      await booking(1).send({ type: 'booking.extended', expiresAt: '2026-01-01T02:00:00.000Z' })
      await booking(2).send(made('other', expiring))
      await booking(2).send({ type: 'booking.cancelled' })
      stage.clock.advance(3_600_000)
      await booking(3).send(made('third', { expiresAt: '2026-01-01T01:00:01.000Z' }))
      await advanceUntil(async () => (await booking(3).state()).state === 'expired')
      expect(await state()).toBe('made')
      expect((await booking(2).state()).state).toBe('deleted')
      await advanceUntil(async () => (await state()) === 'expired', 60_000)
    })

    test('one that is refused when due is settled, not tried for ever', async () => {
      // No expiry was given, so the machine refuses the event.
      await booking(1).send(made('table'))
      await advanceUntil(async () => (await stage.store.nextTimerAt()) === undefined)
      expect(await state()).toBe('made')
    })
  })

  describe('effects', () => {
    test('run after the commit and log their outcome', async () => {
      await booking(1).send(made('table'))
      const confirmed = accepted(await booking(1).send({ type: 'booking.confirmed' }))
      await stage.node.effectsIdle()
      const log = await history(1)
      expect(log.at(-1)).toMatchObject({
        type: 'booking.ticket.sent',
        state: 'ticketed',
        causation: confirmed.event.position,
        data: { ticket: 'booking/1:ticket:2' },
      })
      expect(await stage.store.nextTimerAt()).toBeUndefined()
    })

    test('one that fails runs again until it succeeds', async () => {
      let runs = 0
      const flaky: Effect = async ({ key }) => {
        runs++
        if (runs < 3) throw new Error('the printer is away')
        return { type: 'booking.ticket.sent', ticket: key }
      }
      const other = await startNode({ entities: [bookingEntity(flaky)] })
      await stage.node.stop()
      await booking(1, other).send(made('table'))
      await booking(1, other).send({ type: 'booking.confirmed' })
      await advanceUntil(async () => (await booking(1, other).state()).state === 'ticketed', 10_000)
      expect(runs).toBe(3)
    })

    test('one that a crash interrupted runs on another node, and its outcome is logged once', async () => {
      const never: Effect = () => new Promise(() => {})
      const dying = createActorSystem({
        store: stage.store,
        entities: [bookingEntity(never)],
        clock: stage.clock,
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
      expect(await stage.store.nextTimerAt()).toBeUndefined()
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
}
