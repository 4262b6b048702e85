/** What nodes tell each other to find out what they do not have in common: little where little is different. */
import { describe, expect, test } from 'vitest'
import { createMembers } from '../../src/live/members.ts'
import { encodeDeltas, encodeDigest, encodeHashes, type Message, parseMessage } from '../../src/live/message.ts'
import { ANSWER_MS, createRepairs } from '../../src/live/repairs.ts'
import { hashOf, Replica } from '../../src/live/replica.ts'
import { live } from '../../src/machines/stream/live.ts'

const HOT = 50_000
/** What the bus takes, and what a message is closed at, with room for the last of it. */
const MAX_MESSAGE = 300 * 1024

/** Nodes that hear all that any of them says, at once. */
function openRoom(names: readonly string[]) {
  const said: { readonly from: string; readonly kind: string; readonly bytes: number }[] = []
  let now = 1_000_000
  const waiting: { readonly from: string; readonly json: string }[] = []
  const nodes = names.map(name => {
    const replica = new Replica(new Map([['stream', live]]), HOT)
    const members = createMembers(name, 60_000)
    for (const other of names) members.heard(other, now)
    const say = (json: string) => void waiting.push({ from: name, json })
    const send = (deltas: Parameters<typeof encodeDeltas>[0]) => {
      for (const json of encodeDeltas(deltas)) say(json)
    }
    const repairs = createRepairs({ self: name, replica, members, say, send })
    const set = (id: number, field: string, writer: string, n: number, value: number, period = 'now') => {
      const subject = replica.subject('stream', id, now)
      const document = subject === undefined ? undefined : replica.document(subject, period)
      if (document?.apply(field, writer, n, value) !== true) throw new Error('not taken')
    }
    const hear = (from: string, message: Message) => {
      repairs.heard(from, message, now)
      if (message.kind !== 'delta') return
      for (const { type, id, period, entries } of message.deltas) {
        const subject = replica.subject(type, id, now)
        const document = subject === undefined ? undefined : replica.document(subject, period)
        for (const { field, writer, n, value } of entries) document?.apply(field, writer, n, value)
      }
    }
    return { name, replica, say, set, hear }
  })
  return {
    nodes,
    said,
    /** A node tells its digest, and everybody answers until nobody has anything to say. */
    repair(asking: (typeof nodes)[number]) {
      said.length = 0
      now += ANSWER_MS
      asking.say(encodeDigest(asking.replica.digest()))
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { from, json } = next
        const message = parseMessage(JSON.parse(json))
        if (message === undefined) throw new Error(`no message: ${json.slice(0, 200)}`)
        said.push({ from, kind: message.kind, bytes: Buffer.byteLength(json) })
        for (const node of nodes) if (node.name !== from) node.hear(from, message)
      }
      return said
    },
  }
}

function two(room: ReturnType<typeof openRoom>) {
  const [a, b] = room.nodes
  if (a === undefined || b === undefined) throw new Error('two nodes are needed')
  return [a, b] as const
}

const bytesOf = (said: readonly { readonly bytes: number }[]) => said.reduce((sum, { bytes }) => sum + bytes, 0)

test('of 50,000 hot documents only the one that differs is sent again', () => {
  const room = openRoom(['a#1', 'b#1'])
  const [a, b] = two(room)
  for (const node of [a, b])
    for (let id = 1; id <= HOT; id++) {
      node.set(id, 'viewers', 'a#1', id, id)
      node.set(id, 'bytesSent', 'b#1', id, id)
    }
  expect(room.repair(b).map(({ kind }) => kind)).toEqual(['digest'])
  a.set(31_415, 'viewers', 'a#1', HOT + 1, 7)
  const said = room.repair(b)
  expect(said.map(({ from, kind }) => `${from} ${kind}`)).toEqual([
    'b#1 digest',
    'a#1 differs',
    'b#1 hashes',
    'a#1 delta',
  ])
  // The digest aside: one shard of 49 actors, and one document.
  expect(bytesOf(said.slice(1))).toBeLessThan(3_000)
  expect(b.replica.digest()).toEqual(a.replica.digest())
  expect(room.repair(b).map(({ kind }) => kind)).toEqual(['digest'])
})

test('where a document differs in each shard the documents beside it are not sent, and no message is beyond the bound', () => {
  const room = openRoom(['a#1', 'b#1'])
  const [a, b] = two(room)
  for (const node of [a, b]) for (let id = 1; id <= HOT; id++) node.set(id, 'viewers', 'a#1', id, id)
  for (let id = 1; id <= 1_024; id++) a.set(id, 'viewers', 'a#1', HOT + id, 7)
  const said = room.repair(b)
  expect(Math.max(...said.map(({ bytes }) => bytes))).toBeLessThan(MAX_MESSAGE)
  expect(bytesOf(said.filter(({ kind }) => kind === 'delta'))).toBeLessThan(1_024 * 100)
  expect(said.filter(({ kind }) => kind === 'hashes').length).toBeGreaterThan(5)
  expect(b.replica.digest()).toEqual(a.replica.digest())
})

test('a node that holds nothing is sent everything', () => {
  const room = openRoom(['a#1', 'b#1', 'c#1'])
  const [a, b] = two(room)
  const late = room.nodes[2]
  if (late === undefined) throw new Error('no third node')
  for (const node of [a, b])
    for (let id = 1; id <= 5_000; id++) {
      node.set(id, 'viewers', 'a#1', id, id)
      node.set(id, 'viewers', 'b#1', id, id)
    }
  room.repair(late)
  expect(late.replica.size).toBe(5_000)
  expect(late.replica.digest()).toEqual(a.replica.digest())
})

test('what only the asking node holds is not sent away, and the others get it when they ask', () => {
  const room = openRoom(['a#1', 'b#1'])
  const [a, b] = two(room)
  b.set(1, 'viewers', 'b#1', 1, 4)
  expect(room.repair(b).map(({ kind }) => kind)).toEqual(['digest', 'differs', 'hashes'])
  expect(a.replica.size).toBe(0)
  room.repair(a)
  expect(a.replica.digest()).toEqual(b.replica.digest())
})

test('documents of another time of the same actor are found too', () => {
  const room = openRoom(['a#1', 'b#1'])
  const [a, b] = two(room)
  for (const node of [a, b]) node.set(1, 'viewers', 'a#1', 1, 4)
  a.set(1, 'viewers', 'a#1', 2, 5, 'later')
  room.repair(b)
  expect(b.replica.digest()).toEqual(a.replica.digest())
})

test('what is said again within the time is not answered again', () => {
  const room = openRoom(['a#1', 'b#1'])
  const [a, b] = two(room)
  for (let id = 1; id <= 100; id++) a.set(id, 'viewers', 'a#1', id, id)
  const hashes = [...encodeHashes(new Map([[1, []]]))][0] ?? ''
  const digest = encodeDigest(b.replica.digest())
  for (let time = 0; time < 5; time++) for (const json of [digest, hashes]) b.say(json)
  const said = room.repair(b)
  expect(said.filter(({ from, kind }) => from === 'a#1' && kind === 'differs')).toHaveLength(1)
  expect(said.filter(({ from, kind }) => from === 'b#1' && kind === 'hashes')).toHaveLength(6)
  const deltas = said.filter(({ from, kind }) => from === 'a#1' && kind === 'delta')
  expect(deltas.length).toBeGreaterThan(0)
  expect(deltas.length).toBeLessThanOrEqual(2)
})

describe('hashes', () => {
  const hashes = (count: number, types = ['stream']) =>
    Array.from({ length: count }, (_, n) => types.map(type => ({ type, id: (n + 1) * 1_024, hash: n }))).flat()
  const piecesOf = (json: string) => {
    const message = parseMessage(JSON.parse(json))
    if (message?.kind !== 'hashes') throw new Error('no hashes')
    return message.pieces
  }

  test('of one crowded shard go in pieces that cover every id once', () => {
    const held = hashes(HOT / 2, ['session', 'stream'])
    const messages = [...encodeHashes(new Map([[7, held]]))]
    for (const json of messages) expect(json.length).toBeLessThan(MAX_MESSAGE)
    const pieces = messages.flatMap(piecesOf)
    expect(pieces.flatMap(piece => piece.hashes)).toEqual(held)
    for (const [index, { shard, after, hashes: some }] of pieces.entries()) {
      expect(shard).toBe(7)
      expect(after).toBe(pieces[index - 1]?.upTo ?? 0)
      expect(some.every(({ id }) => id > after && id <= (pieces[index]?.upTo ?? 0))).toBe(true)
    }
    expect(pieces.at(-1)?.upTo).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('of a shard in which nothing is held are told too', () => {
    const [json = ''] = [...encodeHashes(new Map([[3, []]]))]
    expect(piecesOf(json)).toEqual([{ shard: 3, after: 0, upTo: Number.MAX_SAFE_INTEGER, hashes: [] }])
  })

  test('of an actor are those of all its documents', () => {
    const replica = new Replica(new Map([['stream', live]]), 1)
    const subject = replica.subject('stream', 1, 0)
    if (subject === undefined) throw new Error('no subject')
    expect(hashOf(subject)).toBe(0)
    replica.document(subject, 'one')?.apply('viewers', 'a#1', 1, 1)
    const one = hashOf(subject)
    replica.document(subject, 'two')?.apply('viewers', 'a#1', 1, 1)
    expect(new Set([0, one, hashOf(subject)]).size).toBe(3)
  })
})

test.each([
  ['hashes of a shard there is not', { kind: 'hashes', types: [], pieces: [[1_024, 0, 1, []]] }],
  ['a hash of a type that is not named', { kind: 'hashes', types: [], pieces: [[1, 0, 1, [[0, 1, 1]]]] }],
  ['a hash of more than 32 bits', { kind: 'hashes', types: ['stream'], pieces: [[1, 0, 1, [[0, 1, 2 ** 40]]]] }],
  [
    'more hashes than travel together',
    { kind: 'hashes', types: ['stream'], pieces: [[1, 0, 1, Array(20_000).fill([0, 1, 1])]] },
  ],
  ['a difference in no shard', { kind: 'differs', to: 'a#1', shards: [] }],
  ['a difference in more shards than there are', { kind: 'differs', to: 'a#1', shards: Array(1_025).fill(1) }],
])('%s is no message', (_, payload) => {
  expect(parseMessage(payload)).toBeUndefined()
})
