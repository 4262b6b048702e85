/** A command id is spent once, whatever is sent again. */
import { describe, expect, test } from 'vitest'
import { accepted, made, type Stage } from './actor-system-stage.ts'

export function commandIdsConformance(stage: Stage): void {
  const { booking, history, startNode } = stage

  describe('command ids', () => {
    test('a retry gets the first outcome, after the state moved on too, on another node and after a restart', async () => {
      const first = accepted(await booking(1).send(made('table'), { commandId: 'make-1' }))
      await booking(1).send({ type: 'booking.confirmed' })
      const other = await startNode()
      for (const on of [stage.node, other]) {
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
      const first = accepted(await stage.node.create('booking', child, { commandId: 'create-1' }))
      await booking(1).send({ type: 'booking.cancelled' })
      const again = accepted(await stage.node.create('booking', child, { commandId: 'create-1' }))
      expect(again).toMatchObject({ repeated: true, actor: first.actor })
      const elsewhere = booking(first.actor.id, await startNode()).send(child, { commandId: 'create-1' })
      expect(accepted(await elsewhere).repeated).toBe(true)
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
      expect(accepted(await booking(1).send({ type: 'booking.changed', seats: 3 }, { commandId: 'c' })).repeated).toBe(
        false,
      )
    })

    test('creating twice under one id makes one actor', async () => {
      const first = accepted(await stage.node.create('booking', made('table'), { commandId: 'create-1' }))
      const again = accepted(await stage.node.create('booking', made('table'), { commandId: 'create-1' }))
      expect(again.actor).toEqual(first.actor)
      expect(again.repeated).toBe(true)
    })
  })
}
