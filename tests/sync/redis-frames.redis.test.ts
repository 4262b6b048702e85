/** What somebody who may publish on our channels can do, over a real Redis: nothing that costs more than a count. */
import { createSecretKey, randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MAX_FRAME_BYTES } from '../../src/sync/frame.ts'
import { createFrameSignature } from '../../src/sync/frame-signature.ts'
import { channelOf, frameChannels } from '../../src/sync/redis-link.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from './eventually.ts'
import { signedFrame } from './frame-key.ts'
import { logEvent } from './log-events.ts'
import { type PrivateRedis, startPrivateRedis } from './private-redis.ts'
import { createMembers, say } from './redis-members.ts'

let server: PrivateRedis
let url: string
let stranger: Redis
let namespace: string

beforeAll(async () => {
  server = await startPrivateRedis()
  url = `redis://127.0.0.1:${server.port}`
  stranger = new Redis(url)
})
afterAll(async () => {
  stranger.disconnect()
  await server.stop()
})
beforeEach(() => {
  namespace = randomUUID()
})

const { joined } = createMembers(() => url)

const publish = (payload: string | Buffer) =>
  stranger.publish(channelOf('stranger', frameChannels(namespace, 0)), payload)

/** Everything that is said on the channels of the log from now on, as somebody records it who may listen. */
async function record(): Promise<Buffer[]> {
  const recorder = new Redis(url)
  const tape: Buffer[] = []
  await recorder.subscribe(...frameChannels(namespace, 0))
  recorder.on('messageBuffer', (_channel: Buffer, payload: Buffer) => void tape.push(payload))
  recorders.push(recorder)
  return tape
}
const recorders: Redis[] = []
beforeEach(() => {
  for (const recorder of recorders.splice(0)) recorder.disconnect()
})
afterAll(() => {
  for (const recorder of recorders) recorder.disconnect()
})

const isEvents = (payload: Buffer) => payload.includes('"kind":"events"')
const isHeartbeat = (payload: Buffer) => payload.includes('"kind":"heartbeat"')

describe('forged', () => {
  const spoken = { kind: 'events', node: 'speaker', incarnation: 9, order: 1, seq: 1, events: [logEvent(1)] }

  test('what is not signed by a node of the log is counted and dropped, and warned of once', async () => {
    const log = createRecordingLog()
    const a = await joined({ namespace, node: 'a', log })
    const other = createFrameSignature(createSecretKey('not the key', 'utf8'))
    const whole = signedFrame(spoken)
    const forged = [
      JSON.stringify({ v: 2, ...spoken }),
      other.sign(JSON.stringify(spoken).slice(1)),
      whole.replace('"seq":1', '"seq":2'),
      whole.slice(0, -1),
      whole.slice(0, 70),
      '{"v":2,"mac":"',
      `${whole} `,
    ]
    for (const payload of forged) await publish(payload)
    const malformed = ['', 'null', '['.repeat(100_000), signedFrame({ ...spoken, seq: 0 })]
    for (const payload of malformed) await publish(payload)
    await publish(Buffer.alloc(MAX_FRAME_BYTES + 1, whole))
    await publish(whole)
    await eventually(() => expect(a.heard).toEqual([1]))
    expect(a.bus.stats()).toMatchObject({
      forged: forged.length,
      malformed: malformed.length,
      oversize: 1,
      dropped: forged.length + malformed.length + 1,
      framesReceived: 1,
    })
    expect(a.gaps).toBe(0)
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test('a node with another key is not heard, whatever it says', async () => {
    const a = await joined({ namespace, node: 'a' })
    const foreign = await joined({ namespace, node: 'b', key: createSecretKey('not the key', 'utf8') })
    say(foreign, 1)
    say(a, 2)
    await eventually(() => expect(a.bus.stats().forged).toBe(2))
    expect([a.heard, foreign.heard]).toEqual([[], []])
  })

  test('frames of another format are not read; the log is, at most once an interval', async () => {
    const clock = createManualClock()
    const a = await joined({ namespace, node: 'a', clock })
    const others = ['{"v":1,"kind":"heartbeat"}', '{"v":3}', '{"v":3,"mac":"x"}']
    for (const payload of others) await publish(payload)
    await eventually(() => expect(a.bus.stats().foreignVersion).toBe(others.length))
    expect(a.gaps).toBe(0)
    clock.advance(1_000)
    expect(a.gaps).toBe(1)
    clock.advance(1_000)
    expect(a.gaps).toBe(1)
  })
})

describe('replayed', () => {
  test('a recording costs a count, while its sender lives, when it has stopped and when it has started anew', async () => {
    const clock = createManualClock()
    const b = await joined({ namespace, node: 'b', clock })
    const tape = await record()
    const a = await joined({ namespace, node: 'a' })
    for (let position = 1; position <= 5; position++) say(a, position)
    await eventually(() => expect(b.heard).toEqual([1, 2, 3, 4, 5]))
    const replay = async () => {
      const before = b.bus.stats()
      // Once each: what is played is recorded as well.
      const again = new Set(tape.map(String).filter(payload => payload.includes('"node":"a"')))
      for (const payload of again) await publish(payload)
      await eventually(() => expect(b.bus.stats().repeated).toBe(before.repeated + again.size))
      expect(b.bus.stats()).toMatchObject({ gaps: before.gaps, framesReceived: before.framesReceived })
    }
    await eventually(() => expect(tape.filter(isHeartbeat)).toHaveLength(1))
    await replay()
    await a.bus.stop()
    await eventually(() => expect(tape.at(-1)?.includes('farewell')).toBe(true))
    await replay()
    // Long forgotten as a neighbour, but not what it had said.
    for (let second = 1; second <= 10; second++) {
      const heard = tape.length
      clock.advance(1_000)
      // Its own sign of life, which keeps it from opening a new connection.
      await eventually(() => expect(tape.length).toBeGreaterThan(heard))
    }
    await replay()
    const restarted = await joined({ namespace, node: 'a', incarnation: 2 })
    say(restarted, 6)
    await eventually(() => expect(b.heard).toEqual([1, 2, 3, 4, 5, 6]))
    for (let second = 1; second <= 4; second++) clock.advance(1_000)
    expect(b.gaps).toBe(0)
    expect(b.bus.warnings()).toEqual([])
  })

  test('what was recorded before a node started is no news to it', async () => {
    const tape = await record()
    const a = await joined({ namespace, node: 'a' })
    for (let position = 1; position <= 5; position++) say(a, position)
    await eventually(() => expect(tape.filter(isEvents)).toHaveLength(5))
    await a.bus.stop()
    const late = await joined({ namespace, node: 'late', startedAt: 4 })
    for (const payload of tape.filter(isEvents)) await publish(payload)
    await eventually(() => expect(late.heard).toEqual([5]))
    expect(late.bus.stats()).toMatchObject({ repeated: 4, framesReceived: 1 })
  })

  test('a heartbeat sent again hides neither a lost frame nor that its sender is gone', async () => {
    const clock = createManualClock()
    const b = await joined({ namespace, node: 'b', clock })
    const beat = (order: number, seq: number) =>
      signedFrame({ kind: 'heartbeat', node: 'mortal', incarnation: 9, order, seq })
    await publish(beat(1, 0))
    // Its frame 1 is lost, and then it dies. Somebody plays its last sign of life on and on.
    await eventually(() => expect(b.bus.stats().dropped).toBe(0))
    for (let second = 1; second <= 5; second++) {
      await publish(beat(1, 0))
      await eventually(() => expect(b.bus.stats().repeated).toBe(second))
      expect(b.gaps).toBe(0)
      clock.advance(1_000)
    }
    expect(b.gaps).toBe(1)
  })
})

describe('a node name used twice', () => {
  test('both are heard, and every node that hears them warns', async () => {
    const clocks = [createManualClock(), createManualClock(), createManualClock()] as const
    const log = createRecordingLog()
    const first = await joined({ namespace, node: 'x', clock: clocks[0] })
    const second = await joined({ namespace, node: 'x', incarnation: 2, clock: clocks[1], log })
    const third = await joined({ namespace, node: 'y', incarnation: 3, clock: clocks[2] })
    const members = [first, second, third]
    await eventually(() => {
      for (const clock of clocks) clock.advance(1_000)
      for (const { bus } of members)
        expect(bus.warnings()).toEqual([expect.stringContaining('Two nodes are called "x"')])
    })
    say(first, 1)
    say(second, 2)
    await eventually(() => {
      expect([first.heard, second.heard]).toEqual([[2], [1]])
      expect(third.heard.toSorted()).toEqual([1, 2])
    })
    expect(log.lines.filter(({ message }) => message.includes('Two nodes'))).toHaveLength(1)
    await second.bus.stop()
    await eventually(() => {
      clocks[0].advance(1_000)
      clocks[2].advance(1_000)
      expect([first.bus.warnings(), third.bus.warnings()]).toEqual([[], []])
    })
  })
})
