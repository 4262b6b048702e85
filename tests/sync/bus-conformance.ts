/** What every bus promises, whatever carries its frames. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LogEvent } from '../../src/core/event.ts'
import type { Frame, Logger } from '../../src/core/ports.ts'
import type { MonitoredBus } from '../../src/sync/monitored-bus.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { eventually } from './eventually.ts'
import { logEvent } from './log-events.ts'

export interface BusWorld {
  /** A bus of another node of the same log; not started. */
  join(node: string, incarnation: number, log: Logger): MonitoredBus
  close(): Promise<void>
}

export function describeBus(name: string, createWorld: () => Promise<BusWorld>): void {
  describe(`${name} keeps the promises of a bus`, () => {
    let world: BusWorld
    let log: RecordingLog
    let buses: MonitoredBus[]

    beforeEach(async () => {
      world = await createWorld()
      log = createRecordingLog()
      buses = []
    })
    afterEach(async () => {
      for (const bus of buses) await bus.stop()
      await world.close()
    })

    const join = (node: string, incarnation = 1) => {
      const bus = world.join(node, incarnation, log)
      buses.push(bus)
      return bus
    }
    const started = async (node: string, incarnation = 1) => {
      const bus = join(node, incarnation)
      await bus.start()
      await eventually(() => expect(bus.healthy).toBe(true))
      return bus
    }
    const say = (bus: MonitoredBus, node: string, ...positions: number[]) =>
      bus.publish({ node, incarnation: 1, events: positions.map(position => logEvent(position)) })
    const hear = (bus: MonitoredBus) => {
      const heard: number[] = []
      bus.onFrame(({ events }) => void heard.push(...events.map(event => event.position)))
      return heard
    }

    test('a frame arrives whole, with its sender', async () => {
      const a = await started('a')
      const b = await started('b')
      const heard: Frame[] = []
      b.onFrame(frame => void heard.push(frame))
      const events: LogEvent[] = [
        logEvent(1),
        logEvent(2, { data: {}, userId: null, commandId: null, causation: 1, correlation: 'c', token: 4 }),
        logEvent(Number.MAX_SAFE_INTEGER, {
          at: '2026-01-01T00:00:00Z',
          data: { deep: [{ list: [1.5, null, true] }] },
        }),
      ]
      a.publish({ node: 'a', incarnation: 1, events })
      await eventually(() => expect(heard).toEqual([{ node: 'a', incarnation: 1, events }]))
    })

    test('what is said of live figures arrives with its sender, in order with the frames, and not at its own node', async () => {
      const a = await started('a')
      const b = await started('b')
      const heard: unknown[] = []
      a.onLive(({ payload }) => void heard.push(['own', payload]))
      b.onLive(frame => void heard.push(frame))
      b.onFrame(({ events }) => void heard.push(events.length))
      a.publishLive('{"viewers":[1,"päper"]}')
      say(a, 'a', 1)
      a.publishLive('{}')
      await eventually(() => expect(heard).toHaveLength(3))
      expect(heard).toEqual([
        { node: 'a', incarnation: 1, payload: { viewers: [1, 'päper'] } },
        1,
        { node: 'a', incarnation: 1, payload: {} },
      ])
      expect(b.stats()).toMatchObject({ framesReceived: 1, dropped: 0 })
    })

    test('what was accepted without the log has listeners of its own, in order with the rest', async () => {
      const a = await started('a')
      const b = await started('b')
      const heard: unknown[] = []
      a.onTentative(() => void heard.push('own'))
      const leave = b.onTentative(() => expect.unreachable('it has left'))
      leave()
      b.onTentative(frame => void heard.push(frame))
      b.onLive(({ payload }) => void heard.push(payload))
      a.publishTentative('{"kind":"päper"}')
      a.publishLive('{"live":1}')
      a.publishTentative('[]')
      await eventually(() => expect(heard).toHaveLength(3))
      expect(heard).toEqual([
        { node: 'a', incarnation: 1, payload: { kind: 'päper' } },
        { live: 1 },
        { node: 'a', incarnation: 1, payload: [] },
      ])
      expect(b.stats()).toMatchObject({ framesReceived: 0, dropped: 0 })
    })

    test('where an event came from travels with it', async () => {
      const a = await started('a')
      const b = await started('b')
      const heard: Frame[] = []
      b.onFrame(frame => void heard.push(frame))
      const origin = { basis: 1, clock: 'c', node: 'c', incarnation: 2, n: 3, extra: [['d#1', 4]] as const, given: {} }
      a.publish({ node: 'a', incarnation: 1, events: [logEvent(1, { origin })] })
      await eventually(() => expect(heard[0]?.events[0]?.origin).toEqual(origin))
    })

    test('frames of a node arrive in its order', async () => {
      const a = await started('a')
      const b = await started('b')
      const heard = hear(b)
      for (let position = 1; position <= 500; position++) say(a, 'a', position)
      await eventually(() => expect(heard).toHaveLength(500))
      expect(heard).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
      expect(b.stats()).toMatchObject({ framesReceived: 500, dropped: 0 })
    })

    test('a node does not hear itself, but another start of the same node', async () => {
      const a = await started('a')
      const restarted = await started('a', 2)
      const own = hear(a)
      const others = hear(restarted)
      say(a, 'a', 1)
      await eventually(() => expect(others).toEqual([1]))
      // An echo of the first frame would come before this one.
      restarted.publish({ node: 'a', incarnation: 2, events: [logEvent(2)] })
      await eventually(() => expect(own).toEqual([2]))
      expect(others).toEqual([1])
    })

    test('every node hears every other', async () => {
      const names = ['a', 'b', 'c', 'd']
      const nodes = await Promise.all(names.map(node => started(node)))
      const heard = nodes.map(hear)
      names.forEach((node, index) => {
        const bus = nodes[index]
        if (bus) say(bus, node, index + 1)
      })
      await eventually(() =>
        expect(heard.map(positions => positions.toSorted())).toEqual([
          [2, 3, 4],
          [1, 3, 4],
          [1, 2, 4],
          [1, 2, 3],
        ]),
      )
    })

    test('several listeners hear a frame; one that left hears no more', async () => {
      const a = await started('a')
      const b = await started('b')
      const stays = hear(b)
      const left: number[] = []
      const leave = b.onFrame(({ events }) => void left.push(events.length))
      say(a, 'a', 1)
      await eventually(() => expect(stays).toEqual([1]))
      expect(left).toEqual([1])
      leave()
      leave()
      say(a, 'a', 2)
      await eventually(() => expect(stays).toEqual([1, 2]))
      expect(left).toEqual([1])
    })

    test('a listener that throws or rejects is logged and breaks no other', async () => {
      const a = await started('a')
      const b = await started('b')
      b.onFrame(() => {
        throw new Error('first')
      })
      b.onFrame(async () => {
        throw new Error('second')
      })
      const heard = hear(b)
      say(a, 'a', 1)
      say(a, 'a', 2)
      await eventually(() => expect(heard).toEqual([1, 2]))
      await eventually(() => {
        const failures = log.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields)
        expect(failures.toSorted(byText)).toEqual(
          ['first', 'first', 'second', 'second'].map(text => ({ err: expect.objectContaining({ message: text }) })),
        )
      })
    })

    test('joining tells to catch up, for what was said before is not heard', async () => {
      const bus = join('a')
      let gaps = 0
      bus.onGap(() => void gaps++)
      const leave = bus.onGap(() => expect.unreachable('it has left'))
      leave()
      await bus.start()
      await eventually(() => expect(gaps).toBe(1))
      expect(bus.stats().gaps).toBe(1)
      expect(log.lines.filter(({ level }) => level === 'error')).toEqual([])
    })

    test('a frame without events is not sent', async () => {
      const a = await started('a')
      const b = await started('b')
      const heard = hear(b)
      a.publish({ node: 'a', incarnation: 1, events: [] })
      say(a, 'a', 1)
      await eventually(() => expect(heard).toEqual([1]))
      expect(b.stats().framesReceived).toBe(1)
      await eventually(() => expect(a.stats().framesSent).toBe(1))
    })

    test('a stopped bus hears nothing and says nothing; stopping and starting again are harmless', async () => {
      const a = await started('a')
      const b = await started('b')
      const c = await started('c')
      const heard = { b: hear(b), c: hear(c) }
      await b.start()
      say(a, 'a', 1)
      await eventually(() => expect(heard).toEqual({ b: [1], c: [1] }))
      await Promise.all([b.stop(), b.stop()])
      await b.stop()
      expect(b.healthy).toBe(false)
      say(b, 'b', 2)
      say(a, 'a', 3)
      await eventually(() => expect(heard.c).toEqual([1, 3]))
      await b.start()
      expect(b.healthy).toBe(false)
      expect(heard.b).toEqual([1])
    })

    test('a bus can be stopped before it was started, and takes frames at any time', async () => {
      const bus = join('a')
      say(bus, 'a', 1)
      await bus.stop()
      say(bus, 'a', 2)
      expect(bus.stats().framesSent).toBe(0)
    })
  })
}

function byText(a: object, b: object): number {
  return JSON.stringify(a, messages).localeCompare(JSON.stringify(b, messages))
}

function messages(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
