/** Nodes on one log: what they change together, and what only one of them may. */
import { describe, expect, test } from 'vitest'
import { bookingEntity } from '../support/booking-entity.ts'
import { accepted, made, type Stage } from './actor-system-stage.ts'

export function severalNodesConformance(stage: Stage): void {
  const { booking, history, startNode } = stage

  describe('several nodes on one log', () => {
    test('both change one actor: nothing is lost, versions are gapless', async () => {
      const other = await startNode()
      await booking(1).send(made('table'))
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          booking(1, n % 2 === 0 ? stage.node : other).send({ type: 'booking.changed', seats: n + 1 }),
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
        Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? stage.node : other).create('booking', made(`table ${n}`))),
      )
      expect(new Set(results.map(result => accepted(result).actor.id)).size).toBe(60)
    })

    test('frames of another node move the copy in memory', async () => {
      const other = await startNode()
      other.onCommitted(events => stage.node.hear(events))
      await booking(1).send(made('table'))
      await booking(1, other).send({ type: 'booking.changed', seats: 8 })
      expect((await booking(1).state()).context).toMatchObject({ seats: 8 })
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
      const inside = await stage.node.withLease('job', 10_000, async lease => {
        expect(await other.withLease('job', 10_000, async () => 'both')).toBeUndefined()
        return lease.token
      })
      expect(await other.withLease('job', 10_000, async lease => lease.token)).toBeGreaterThan(inside ?? 0)
    })
  })
}
