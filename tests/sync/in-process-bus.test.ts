/** The in-process bus. */
import { expect, test } from 'vitest'
import { createInProcessBus, createInProcessHub } from '../../src/sync/in-process-bus.ts'
import type { MonitoredBus } from '../../src/sync/monitored-bus.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { describeBus } from './bus-conformance.ts'
import { logEvent } from './log-events.ts'

describeBus('the in-process bus', async () => {
  const hub = createInProcessHub()
  return {
    join: (node, incarnation, log) => createInProcessBus({ node, incarnation, log, hub }),
    close: async () => expect(hub.members.size).toBe(0),
  }
})

test('without a shared hub a bus is alone', async () => {
  const log = createRecordingLog()
  const a = createInProcessBus({ node: 'a', incarnation: 1, log })
  const b = createInProcessBus({ node: 'b', incarnation: 1, log })
  await a.start()
  await b.start()
  const heard: unknown[] = []
  b.onFrame(frame => void heard.push(frame))
  a.publish({ node: 'a', incarnation: 1, events: [logEvent(1)] })
  // Delivery takes one microtask.
  await Promise.resolve()
  await Promise.resolve()
  expect(heard).toEqual([])
  expect(a.stats().framesSent).toBe(1)
})

test('a node that is cut off neither hears nor is heard, and on its return all are told to catch up', async () => {
  const hub = createInProcessHub()
  const log = createRecordingLog()
  const [a, b] = [1, 2].map(incarnation =>
    createInProcessBus({ node: incarnation === 1 ? 'a' : 'b', incarnation, log, hub }),
  ) as [MonitoredBus, MonitoredBus]
  const heard: string[] = []
  for (const [name, bus] of Object.entries({ a, b })) {
    await bus.start()
    bus.onFrame(frame => heard.push(`${name} hears ${frame.node}`))
    bus.onGap(() => heard.push(`${name} catches up`))
  }
  const both = async () => {
    a.publish({ node: 'a', incarnation: 1, events: [logEvent(1)] })
    b.publish({ node: 'b', incarnation: 2, events: [logEvent(2)] })
    await Promise.resolve()
    await Promise.resolve()
  }
  hub.cut('b')
  await both()
  expect([a.healthy, b.healthy, heard]).toEqual([true, false, []])
  hub.heal('b')
  hub.heal('b')
  expect([b.healthy, heard]).toEqual([true, ['a catches up', 'b catches up']])
  await both()
  expect(heard.slice(2)).toEqual(['b hears a', 'a hears b'])
})

test('a receiver runs outside the sender’s call', async () => {
  const hub = createInProcessHub()
  const log = createRecordingLog()
  const a = createInProcessBus({ node: 'a', incarnation: 1, log, hub })
  const b = createInProcessBus({ node: 'b', incarnation: 1, log, hub })
  await a.start()
  await b.start()
  const order: string[] = []
  b.onFrame(() => void order.push('heard'))
  a.publish({ node: 'a', incarnation: 1, events: [logEvent(1)] })
  order.push('published')
  await Promise.resolve()
  expect(order).toEqual(['published', 'heard'])
})
