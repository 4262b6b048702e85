/** What live figures cost on this machine, in microseconds of CPU each: a write, an apply, a message made and parsed. Prints one JSON object. */
import { actorRef } from '../../src/core/ids.ts'
import { LiveDocument } from '../../src/live/document.ts'
import { createLiveState } from '../../src/live/live-state.ts'
import { type Delta, encodeDeltas, parseMessage } from '../../src/live/message.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { live } from '../../src/machines/stream/live.ts'
import { createInProcessBus, createInProcessHub } from '../../src/sync/in-process-bus.ts'
import { systemClock } from '../../src/system-clock.ts'

const ROUNDS = 7
const STREAMS = 1_000
const PASSES = 200
const OPERATIONS = STREAMS * PASSES

/** The median of the rounds, in microseconds of CPU for each operation. */
async function measured(round: () => void | Promise<void>): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < ROUNDS; n++) {
    const begin = process.cpuUsage()
    await round()
    const { user, system } = process.cpuUsage(begin)
    times.push((user + system) / OPERATIONS)
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0
  return Math.round(median * 100) / 100
}

/** A node of live figures without a log: all streams are live for ever. */
async function startNode(node: string, hub = createInProcessHub()) {
  const bus = createInProcessBus({ node, incarnation: 1, log: silentLogger, hub })
  await bus.start()
  const state = createLiveState({
    ...{ node, incarnation: 1, bus, clock: systemClock, log: silentLogger, entities },
    state: async () => ({ state: 'live', context: { row: { started_at: 'now' }, again: 0 } }),
    send: () => new Promise(() => {}),
  })
  await state.start()
  return { bus, state }
}

const hub = createInProcessHub()
const { state } = await startNode('bench', hub)
const handles = Array.from({ length: STREAMS }, (_, n) => state.handle(actorRef('stream', n + 1)))
await Promise.all(handles.map(handle => handle.opened()))
let count = 0
const write = await measured(() => {
  for (let pass = 0; pass < PASSES; pass++) for (const handle of handles) handle.set('viewers', ++count % 1_000_000)
})

const batch = (pass: number): readonly Delta[] =>
  handles.map((_, index) => ({
    ...{ type: 'stream', id: index + 1, period: 'now' },
    entries: [{ field: 'bytesSent', writer: 'other#1', n: pass, value: pass }],
  }))
const documents = handles.map((_, index) => new LiveDocument('stream', index + 1, 'now', live))
let pass = 0
const apply = await measured(() => {
  for (let n = 0; n < PASSES; n++) {
    pass++
    for (const document of documents) document.apply('bytesSent', 'other#1', pass, pass)
  }
})

const encode = await measured(() => {
  for (let n = 0; n < PASSES; n++) for (const json of encodeDeltas(batch(n))) count += json.length
})
const message = [...encodeDeltas(batch(1))]
const parse = await measured(() => {
  for (let n = 0; n < PASSES; n++) for (const json of message) if (!parseMessage(JSON.parse(json))) count++
})

// The whole way of a receiver: JSON, check, merge, listeners told.
const { bus } = await startNode('peer', hub)
const before = state.stats().applied
const receive = await measured(async () => {
  for (let n = 0; n < PASSES; n++) for (const json of encodeDeltas(batch(++pass))) bus.publishLive(json)
  await new Promise(resolve => setImmediate(resolve))
})
if (state.stats().applied - before !== ROUNDS * OPERATIONS) throw new Error('not all that was sent was applied')
console.log(JSON.stringify({ write, apply, encode, parse, encodeAndReceive: receive }))
process.exit(0)
