/** One process that merges updates of a map in which each node sets a key of its own: `merging.ts SIDE NODES UPDATES`. */
import { mergeVectors } from '../../src/core/version-vector.ts'
import { LiveDocument } from '../../src/live/document.ts'
import { deltaOf, encodeDeltas, parseMessage } from '../../src/live/message.ts'
import { live } from '../../src/machines/stream/live.ts'
import { median, rounded } from '../measure.ts'
import { openAutomerge } from '../peers/automerge.ts'
import { openYjs } from '../peers/yjs.ts'

const ROUNDS = 3
/** Updates that travel in one message where they are gathered. */
const BATCH = 500
const FIELD = 'viewers'
const everybodyLives = () => true

/** Updates as they travel, applied to a document without any; answers the sum of all keys. */
interface MergeSide {
  readonly alone: readonly Message[]
  readonly gathered: readonly Message[]
  apply(messages: readonly Message[]): number
}
type Message = string | Uint8Array | readonly Uint8Array[]

const [name = '', nodes = 0, updates = 0] = process.argv
  .slice(2)
  .map((text, index) => (index === 0 ? text : Number(text)))
const NODES = Number(nodes)
const COUNT = Number(updates)
const SIDES: Readonly<Record<string, () => Promise<MergeSide>>> = { ours, yjs, automerge }

const side = await SIDES[String(name)]?.()
if (side === undefined) throw new Error(`there is no side ${name}`)
const expected = sum(lastOfEach())
process.send?.({
  eachAloneMicros: await measured(side, side.alone),
  gatheredMicros: await measured(side, side.gathered),
  bytesAnUpdate: rounded(side.alone.reduce((total, message) => total + message.length, 0) / COUNT),
  ...(name === 'ours' ? whole() : {}),
})
process.disconnect()

/** Microseconds of CPU an update, the median of the rounds after the first. */
async function measured({ apply }: MergeSide, messages: readonly Message[]): Promise<number> {
  const times: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage()
    const total = apply(messages)
    const { user, system } = process.cpuUsage(before)
    if (total !== expected) throw new Error(`${name} has ${total} instead of ${expected}`)
    if (round > 0) times.push((user + system) / COUNT)
    await new Promise(resolve => setImmediate(resolve))
  }
  return rounded(median(times))
}

function writerOf(n: number): string {
  return `node${n % NODES}#1`
}

function lastOfEach(): number[] {
  return Array.from({ length: NODES }, (_, node) => COUNT - 1 - ((COUNT - 1 - node) % NODES))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function batches<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, n) => items.slice(n * BATCH, (n + 1) * BATCH))
}

async function ours(): Promise<MergeSide> {
  const entry = (n: number) => ({ field: FIELD, writer: writerOf(n), n, value: n })
  const all = Array.from({ length: COUNT }, (_, n) => entry(n))
  const shell = new LiveDocument('stream', 1, 'now', live)
  return {
    alone: all.flatMap(one => [...encodeDeltas([deltaOf(shell, [one])])]),
    gathered: batches(all).flatMap(batch => [...encodeDeltas([deltaOf(shell, batch)])]),
    apply(messages) {
      const document = new LiveDocument('stream', 1, 'now', live)
      for (const json of messages) {
        const message = parseMessage(JSON.parse(String(json)))
        if (message?.kind !== 'delta') throw new Error('no delta')
        for (const { entries } of message.deltas)
          for (const { field, writer, n, value } of entries) document.apply(field, writer, n, value)
      }
      return Number(document.value(FIELD, everybodyLives))
    },
  }
}

async function yjs(): Promise<MergeSide> {
  const { Doc, applyUpdate, mergeUpdates } = await openYjs()
  const alone: Uint8Array[] = []
  const writers = Array.from({ length: NODES }, (_, node) => {
    const document = new Doc()
    document.clientID = node + 1
    document.on('update', update => alone.push(update))
    return document.getMap('figures')
  })
  for (let n = 0; n < COUNT; n++) writers[n % NODES]?.set(writerOf(n), n)
  return {
    alone,
    gathered: batches(alone).map(mergeUpdates),
    apply(messages) {
      const document = new Doc()
      for (const update of messages) applyUpdate(document, update as Uint8Array)
      const map = document.getMap('figures')
      return sum(Array.from({ length: NODES }, (_, node) => Number(map.get(writerOf(node)))))
    },
  }
}

async function automerge(): Promise<MergeSide> {
  const { init, change, getLastLocalChange, applyChanges } = await openAutomerge()
  const writers = Array.from({ length: NODES }, (_, node) => init((node + 1).toString(16).padStart(32, '0')))
  const alone: Uint8Array[] = []
  for (let n = 0; n < COUNT; n++) {
    const document = writers[n % NODES]
    if (document === undefined) throw new Error('no writer')
    const next = change(document, map => {
      map[writerOf(n)] = n
    })
    writers[n % NODES] = next
    alone.push(getLastLocalChange(next) ?? new Uint8Array())
  }
  return {
    alone,
    gathered: batches(alone),
    apply(messages) {
      let document = init('f'.repeat(32))
      for (const message of messages) {
        const changes = message instanceof Uint8Array ? [message] : (message as readonly Uint8Array[])
        document = applyChanges(document, changes)[0]
      }
      return sum(Array.from({ length: NODES }, (_, node) => Number(document[writerOf(node)])))
    },
  }
}

/** What is done with what is there already: read a figure, take a whole document in again, compare and merge vectors. */
function whole() {
  const document = new LiveDocument('stream', 1, 'now', live)
  for (let n = 0; n < NODES; n++) document.apply(FIELD, writerOf(n), n + 1, n)
  const entries = document.entries()
  const ahead = new Map(entries.map(({ writer, n }) => [writer, n]))
  const behind = new Map(entries.map(({ writer, n }) => [writer, n - 1]))
  const each = (work: () => void) => {
    const rounds = Math.ceil(2_000_000 / (NODES * 20))
    for (let n = 0; n < rounds / 10; n++) work()
    const before = process.cpuUsage()
    for (let n = 0; n < rounds; n++) work()
    const { user, system } = process.cpuUsage(before)
    return rounded((user + system) / rounds)
  }
  let kept = 0
  return {
    readMicros: each(() => {
      kept += Number(document.value(FIELD, everybodyLives))
    }),
    takeWholeAgainMicros: each(() => {
      for (const { field, writer, n, value } of entries) if (document.apply(field, writer, n, value)) kept++
    }),
    mergeVectorsMicros: each(() => {
      kept += mergeVectors(behind, ahead).size
    }),
    ...(kept > 0 ? {} : { nothing: true }),
  }
}
