/** Replaying a history with code that reads it differently. */

import { expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { checkHistory } from '../../src/actors/replay.ts'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { defineEntity, type EntityDefinition } from '../../src/machines/define.ts'
import { bookingEntity } from '../support/booking-entity.ts'

const booking = bookingEntity()
/** Code in which a booking can no longer be confirmed, and ends elsewhere when it is cancelled. */
const changed: EntityDefinition = (() => {
  const { made, ...states } = booking.machine.config.states ?? {}
  const { 'booking.confirmed': _, ...on } = (made?.on ?? {}) as Record<string, object | string>
  return defineEntity({
    ...booking,
    machine: createMachine({
      ...booking.machine.config,
      states: { ...states, made: { on: { ...on, 'booking.cancelled': 'expired' } } },
    } as never),
  })
})()

async function withHistory(work: (node: RuntimeNode) => Promise<void>): Promise<void> {
  const node = await createNode({ memory: true, entities: [booking], log: silentLogger })
  try {
    await work(node)
  } finally {
    await node.close()
  }
}

const make = async (node: RuntimeNode, name: string, ...then: string[]) => {
  const { actor } = await node.create('booking', { type: 'booking.made', name, seats: 1 })
  for (const type of then) await node.actor('booking', actor.id).send({ type })
  await node.actors.effectsIdle()
}

test('the first event that differs comes first, with both states; the actors after it are looked at too', () =>
  withHistory(async node => {
    await make(node, 'well')
    await make(node, 'second')
    await make(node, 'cancelled', 'booking.cancelled')
    await node.actor('booking', 2).send({ type: 'booking.confirmed' })
    await node.actors.effectsIdle()
    const { drift, ...rest } = await checkHistory({ store: node.log, entities: [changed] })
    expect(drift).toMatchObject([
      {
        actor: 'booking/3',
        version: 2,
        position: 4,
        type: 'booking.cancelled',
        recorded: 'deleted',
        recomputed: 'expired',
      },
      {
        actor: 'booking/2',
        version: 2,
        position: 5,
        type: 'booking.confirmed',
        recorded: 'confirmed',
        recomputed: null,
      },
    ])
    expect(rest).toMatchObject({ actors: 3, drifted: 2 })
    expect(await checkHistory({ store: node.log, entities: [booking] })).toMatchObject({
      drifted: 0,
      drift: [],
      events: 6,
    })
  }))

test('a type that the code no longer has has drifted', () =>
  withHistory(async node => {
    await make(node, 'one')
    const report = await checkHistory({ store: node.log, entities: [], types: ['booking'] })
    expect(report).toMatchObject({
      drifted: 1,
      drift: [
        {
          actor: 'booking/1',
          version: 1,
          recorded: 'made',
          recomputed: null,
          message: expect.stringContaining('booking'),
        },
      ],
    })
  }))

test('an event that the code no longer has has drifted', () =>
  withHistory(async node => {
    await make(node, 'one')
    const { 'booking.made': _, ...events } = booking.events
    const report = await checkHistory({ store: node.log, entities: [{ ...booking, events }] })
    expect(report.drift).toMatchObject([{ type: 'booking.made', recorded: 'made', recomputed: null }])
  }))

test('of many that drifted the earliest are listed and all are counted', () =>
  withHistory(async node => {
    for (let i = 1; i <= 120; i++) await make(node, `b${i}`)
    const { drift, drifted } = await checkHistory({ store: node.log, entities: [], types: ['booking'] })
    expect(drifted).toBe(120)
    expect(drift.map(({ position }) => position)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  }))
