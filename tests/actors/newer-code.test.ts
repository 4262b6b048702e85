/** A node in whose log a newer release writes: it says what it cannot read, and guesses nothing. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { ActorSystem } from '../../src/actors/api.ts'
import { checkHistory } from '../../src/actors/replay.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import type { LogEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { EventStore } from '../../src/core/ports.ts'
import { createMemoryEventStore, createMemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { type EntityDefinition, event } from '../../src/machines/define.ts'
import { createMemoryProjections } from '../../src/projections/memory-projections.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createManualClock } from '../support/manual-clock.ts'

const known = bookingEntity()
/** The next release counts seats otherwise. */
const next: EntityDefinition = {
  ...known,
  events: {
    ...known.events,
    'booking.changed': event(2, z.object({ seats: z.int() }), { upcasters: { 1: data => data } }),
  },
}
const tooNew = {
  code: 'schema_mismatch',
  retryable: false,
  message: expect.stringMatching(
    /booking\/1 version 2 \(booking\.changed, position 2\).*version 2; .*up to 1.*Upgrade/,
  ),
}

let store: EventStore
let node: ActorSystem
let newer: ActorSystem
beforeEach(async () => {
  const log = createMemoryLog()
  const clock = createManualClock()
  store = createMemoryEventStore({ node: 'known', clock, log })
  const options = { clock, log: silentLogger }
  node = createActorSystem({ ...options, store, entities: [known], holder: 'known' })
  newer = createActorSystem({
    ...options,
    store: createMemoryEventStore({ node: 'newer', clock, log }),
    entities: [next],
    holder: 'newer',
  })
  for (const system of [node, newer]) await system.start()
  await booking().send({ type: 'booking.made', name: 'table', seats: 2 })
})
afterEach(async () => {
  for (const system of [node, newer]) await system.stop()
})

const booking = (on: ActorSystem = node) => on.actor(actorRef('booking', 1))

async function change(): Promise<readonly LogEvent[]> {
  const heard: LogEvent[] = []
  const stop = newer.onCommitted(events => heard.push(...events))
  expect(await booking(newer).send({ type: 'booking.changed', seats: 9 })).toMatchObject({ ok: true })
  stop()
  return heard
}

test('a command is not decided on it, and nothing is written', async () => {
  await change()
  await expect(booking().send({ type: 'booking.cancelled' })).rejects.toMatchObject(tooNew)
  expect(await store.head()).toBe(2)
  expect(await booking(newer).send({ type: 'booking.cancelled' })).toMatchObject({ ok: true })
})

test('the state is not shown, but for what it was before; history is', async () => {
  await change()
  await expect(booking().state()).rejects.toMatchObject(tooNew)
  await expect(booking().stateAt({ version: 2 })).rejects.toMatchObject(tooNew)
  expect((await booking().stateAt({ version: 1 })).context).toMatchObject({ seats: 2 })
  expect((await Array.fromAsync(booking().history())).flat()).toHaveLength(2)
})

test('a copy in memory that hears of it is let go, and the other actors stay', async () => {
  await node.actor(actorRef('booking', 2)).send({ type: 'booking.made', name: 'window', seats: 1 })
  const heard = await change()
  node.hear(heard)
  await expect(booking().state()).rejects.toMatchObject({ code: 'schema_mismatch' })
  expect(await node.actor(actorRef('booking', 2)).send({ type: 'booking.changed', seats: 3 })).toMatchObject({
    ok: true,
  })
})

test('a reference to its actor is judged by the state the log gives it', async () => {
  await change()
  const child = { type: 'booking.made', name: 'child', seats: 1, parent: 1 }
  expect(await node.actor(actorRef('booking', 2)).send(child)).toMatchObject({ ok: true })
})

test('a check of history names it', async () => {
  await change()
  expect(await checkHistory({ store, entities: [known] })).toMatchObject({
    drifted: 1,
    drift: [{ actor: 'booking/1', version: 2, position: 2, recomputed: null, message: tooNew.message }],
  })
  expect(await checkHistory({ store, entities: [next] })).toMatchObject({ drifted: 0 })
})

test('read tables in memory pass over its actor', async () => {
  await change()
  const projections = createMemoryProjections({ store, entities: [known] })
  await projections.caughtUp()
  expect(await projections.failures()).toMatchObject([{ actorId: 1, position: 2, error: tooNew.message }])
})
