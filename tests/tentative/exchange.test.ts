/** What nodes tell each other of events that are in no log: shown once, in causal order, until they are settled. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatHybridTime } from '../../src/core/hybrid-clock.ts'
import { Net, type NetNode } from './exchange-net.ts'

async function pair(): Promise<{ net: Net; a: NetNode; b: NetNode }> {
  const net = new Net()
  const a = await net.join('a')
  const b = await net.join('b')
  net.pass(500)
  return { net, a, b }
}

type Step =
  | { readonly kind: 'write'; readonly node: number; readonly actor: number }
  | { readonly kind: 'settle'; readonly node: number; readonly index: number }
  | { readonly kind: 'deliver'; readonly which: number; readonly fate: 'arrives' | 'doubled' | 'lost' }
  | { readonly kind: 'wait'; readonly ms: number }

const node = fc.nat(2)
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('write' as const), node, actor: fc.integer({ min: 1, max: 2 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const), node, index: fc.nat(9) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('deliver' as const),
        which: fc.nat(30),
        fate: fc.constantFrom('arrives' as const, 'arrives' as const, 'doubled' as const, 'lost' as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(100, 1_000, 3_000) }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** A late double of an event waits for the one before it, while a later one of its writer needs neither: both are settled. */
const SETTLED_WHILE_IT_WAITS: readonly Step[] = [
  { kind: 'deliver', which: 0, fate: 'arrives' },
  { kind: 'write', node: 2, actor: 1 },
  { kind: 'write', node: 0, actor: 1 },
  { kind: 'deliver', which: 21, fate: 'lost' },
  { kind: 'deliver', which: 2, fate: 'arrives' },
  { kind: 'write', node: 0, actor: 1 },
  { kind: 'deliver', which: 0, fate: 'arrives' },
  { kind: 'wait', ms: 100 },
  { kind: 'deliver', which: 0, fate: 'arrives' },
  { kind: 'settle', node: 0, index: 0 },
  { kind: 'write', node: 0, actor: 2 },
  { kind: 'deliver', which: 13, fate: 'arrives' },
  { kind: 'settle', node: 2, index: 0 },
  { kind: 'wait', ms: 100 },
  { kind: 'settle', node: 0, index: 0 },
  { kind: 'write', node: 2, actor: 1 },
]

/** Whoever shows an event shows, or has let go of, all that its writer knew. */
function checkCausality(net: Net): void {
  for (const { exchange, name } of net.nodes)
    for (const actor of [1, 2]) {
      const list = exchange.of('user', actor)
      const dots = list.map(({ dot }) => dot.join(':'))
      expect(new Set(dots).size, 'each once').toBe(dots.length)
      list.forEach(({ dot, entry }, place) => {
        for (const [source, n] of entry.extra ?? []) {
          const at = dots.indexOf(`${source}:${n}`)
          if (source !== `${name}#1` && at >= 0)
            expect(at, `${source}:${n} before ${dot.join(':')}`).toBeLessThan(place)
        }
      })
    }
}

test('in 500 histories of loss, doubles and reordering: causal order all the way, and everybody sees all in the end', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async history => {
      const net = new Net()
      for (const name of ['a', 'b', 'c']) await net.join(name)
      for (const step of history) {
        const at = net.nodes['node' in step ? step.node : 0] as NetNode
        if (step.kind === 'write') net.write(at, step.actor)
        else if (step.kind === 'settle') net.settle(at, step.index)
        else if (step.kind === 'wait') net.clock.advance(step.ms)
        else net.deliver(step.which, step.fate)
        checkCausality(net)
      }
      net.deliverAll()
      net.pass(10_000)
      checkCausality(net)
      for (const reader of net.nodes) {
        expect(reader.exchange.stats()).toMatchObject({ waiting: 0, malformed: 0, dropped: 0 })
        for (const actor of [1, 2]) {
          const others = net.nodes.filter(writer => writer !== reader)
          const pending = others.flatMap(({ pending: left, name }) =>
            left.filter(({ actorId }) => actorId === actor).map(({ n }) => `${name}#1:${n}`),
          )
          expect(net.shown(reader, actor)).toEqual(pending.sort())
        }
      }
    }),
    { numRuns: 500, examples: [[SETTLED_WHILE_IT_WAITS]] },
  )
})

test('what a writer that is gone said of several actors, in turn, comes whole from those who have it', async () => {
  const { net, a, b } = await pair()
  for (const actor of [1, 2, 1]) net.write(a, actor)
  net.deliverAll()
  await net.kill(a)
  const late = await net.join('late')
  net.pass(20_000)
  expect(net.shown(b, 1)).toEqual(['a#1:1', 'a#1:3'])
  for (const actor of [1, 2]) expect(net.shown(late, actor)).toEqual(net.shown(b, actor))
  expect(late.exchange.stats()).toMatchObject({ malformed: 0, waiting: 0 })
})

test('what is settled leaves with the version of its actor, and no late double brings it back', async () => {
  const { net, a, b } = await pair()
  const entry = net.write(a)
  net.deliverAll()
  const [held] = b.exchange.of('user', 1)
  net.settle(a, 0, 7)
  net.pass(500)
  expect(b.exchange.of('user', 1)).toMatchObject([{ settledAt: 7 }])
  b.exchange.release(held === undefined ? [] : [held])
  const { doubtful: _, causation: __, correlation: ___, ...shared } = entry
  net.say('a', 1, { kind: 'entries', entries: [{ entry: shared, after: 0 }] })
  expect(b.exchange.of('user', 1)).toEqual([])
  expect(b.exchange.stats()).toMatchObject({ others: 0, bytes: 0 })
})

test('what the log is heard to hold is settled by that, with no word of its writer', async () => {
  const { net, a, b } = await pair()
  const { basis, clock, node: name, incarnation, n } = net.write(a)
  net.deliverAll()
  b.exchange.logged([{ version: 9, origin: { basis, clock, node: name, incarnation, n } } as never])
  expect(b.exchange.of('user', 1)).toMatchObject([{ settledAt: 9 }])
  b.exchange.sweep(() => true)
  expect(b.exchange.stats().others).toBe(1)
  b.exchange.sweep(() => false)
  expect(b.exchange.stats().others).toBe(0)
})

test('a later start of a node ends what the earlier one left; vectors forget it when all who live have promised to', async () => {
  const { net, a, b } = await pair()
  const c = await net.join('c')
  net.write(a)
  net.deliverAll()
  await net.kill(a)
  // A node that is only silent keeps its say: its journal may come back.
  net.pass(20_000)
  expect(net.shown(b)).toEqual(['a#1:1'])
  const again = await net.join('a', 2)
  net.pass(3_000)
  for (const reader of [b, c]) expect(reader.exchange.of('user', 1)).toMatchObject([{ settledAt: null }])
  net.say('a', 1, { kind: 'settled', settled: [[9, 9]] })
  expect(b.exchange.stats().refused).toBe(1)
  const standings: unknown[] = []
  again.listeners.push(({ payload }) => void standings.push(payload))
  net.pass(10_000)
  expect(standings.length).toBeGreaterThan(0)
  for (const standing of standings.slice(-2)) expect(standing).toMatchObject({ kind: 'vector', held: [] })
})

test('two nodes of one name: both are heard, and none ends the other', async () => {
  const { net, a, b } = await pair()
  const twin = await net.join('a', 2)
  net.write(a)
  net.write(twin)
  net.pass(20_000)
  expect(net.shown(b)).toEqual(['a#1:1', 'a#2:1'])
})

test('what a silent node wrote is passed on by those who have it', async () => {
  const { net, a, b } = await pair()
  net.write(a)
  net.deliverAll()
  await net.kill(a)
  net.pass(11_000)
  const late = await net.join('late')
  net.write(b)
  net.pass(5_000)
  expect(net.shown(late)).toEqual(['a#1:1', 'b#1:1'])
})

test('clocks that are set back hold up no answer, and keep no silent node alive', async () => {
  const net = new Net()
  const [a, b] = [await net.join('a'), await net.join('b')]
  const lose = () => {
    net.write(a)
    net.queue = []
  }
  lose()
  net.pass(5_000)
  expect(net.shown(b)).toEqual(['a#1:1'])
  net.ahead = -240_000
  lose()
  net.pass(5_000)
  expect(net.shown(b)).toEqual(['a#1:1', 'a#1:2'])
  await net.kill(a)
  net.pass(12_000)
  const c = await net.join('c')
  net.pass(5_000)
  expect(net.shown(c)).toEqual(['a#1:1', 'a#1:2'])
})

test('what is malformed, of another, ahead of time, too large or beyond this code is counted and not shown', async () => {
  const { net, a, b } = await pair()
  net.pass(2_500)
  const { doubtful: _, causation: __, correlation: ___, ...entry } = net.write(a)
  net.queue = []
  const offer = (change: object, from = 'a') =>
    net.say(from, 1, { kind: 'entries', entries: [{ entry: { ...entry, ...change }, after: 0 }] })
  const stats = () => b.exchange.stats()

  for (const payload of [null, 1, 'x', {}, { kind: 'entries' }, { kind: 'vector', pending: [[0, 1]] }])
    net.say('a', 1, payload)
  offer({ data: [] })
  offer({ n: 0 })
  offer({ extra: Array.from({ length: 2_000 }, () => ['x#1', 1]) })
  offer({ basis: -1 })
  net.say('a', 1, { kind: 'entries', entries: Array.from({ length: 1_025 }, () => ({ entry, after: 0 })) })
  const deep = JSON.parse(`${'{"x":'.repeat(40)}1${'}'.repeat(40)}`)
  offer({ data: deep })
  expect(stats()).toMatchObject({ malformed: 12, others: 0 })

  // The node it names speaks for itself.
  offer({}, 'mallory')
  offer({ clock: formatHybridTime({ wall: net.clock.now() + 3_600_000, counter: 0, source: 'a#1' }) })
  offer({ clock: 'noon' })
  expect(stats()).toMatchObject({ refused: 3, others: 0 })

  offer({ actorType: 'unheard-of' })
  offer({ type: 'user.registered' })
  offer({ schemaVersion: 99 })
  offer({ data: { displayName: 5 } })
  expect(stats()).toMatchObject({ dropped: 4, others: 0, waiting: 0, bytes: 0 })

  offer({})
  expect(net.shown(b)).toEqual(['a#1:1'])
})

test('no more is kept than there is room for; it comes when there is room again', async () => {
  const net = new Net()
  const a = await net.join('a')
  const b = await net.join('b', 1, { count: 3, bytes: 1_000_000 })
  for (let n = 0; n < 5; n++) net.write(a)
  net.deliverAll()
  expect(net.shown(b)).toEqual(['a#1:1', 'a#1:2', 'a#1:3'])
  expect(b.exchange.stats().dropped).toBeGreaterThanOrEqual(2)
  for (let n = 0; n < 3; n++) net.settle(a, 0)
  net.pass(500)
  b.exchange.sweep(() => false)
  net.pass(5_000)
  expect(net.shown(b)).toEqual(['a#1:4', 'a#1:5'])
})
