/** The steps of a run, as fast-check draws, prints and shrinks them. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { checkAll, checkReadTables, checkView } from './checks.ts'
import type { Client } from './client.ts'
import { type Draft, manyDrafts, oneDraft, otherContent, toRequest } from './drafts.ts'
import type { Request } from './expectations.ts'
import type { Installation } from './installation.ts'

type Step = fc.AsyncCommand<Client, Installation>

/** A step is drawn without knowing what there will be; it looks for itself when its turn comes. */
function step(name: string, run: (client: Client, real: Installation) => Promise<void>, check = always): Step {
  return {
    check,
    run: async (client, real) => {
      // Each step has a time of its own.
      real.clock.advance(1)
      await run(client, real)
    },
    toString: () => name,
  }
}

const always: Step['check'] = () => true
const hasSent: Step['check'] = ({ sent }) => sent.length > 0

const MAX_NODES = 2

function requestsOf(client: Client, real: Installation, drafts: readonly Draft[]): readonly Request[] {
  return drafts.map(draft => {
    const request = toRequest(client.world, real.clock.now(), client.nextCommandId(), draft)
    client.sent.push(request)
    return request
  })
}

const node = fc.nat({ max: MAX_NODES - 1 })

const send = fc
  .record({ node, draft: oneDraft })
  .map(({ node: at, draft }) =>
    step(`Send(${at}, ${show([draft])})`, (client, real) =>
      client.exchange(real, at, requestsOf(client, real, [draft])),
    ),
  )

/** At once, and some of them twice. */
const burst = fc.record({ node, drafts: manyDrafts, twice: fc.nat({ max: 2 }) }).map(({ node: at, drafts, twice }) =>
  step(`Burst(${at}, ${show(drafts)}, the first ${twice} twice)`, (client, real) => {
    const requests = requestsOf(client, real, drafts)
    return client.exchange(real, at, [...requests, ...requests.slice(0, twice)])
  }),
)

const resend = fc.record({ node, back: fc.nat({ max: 11 }), other: fc.boolean() }).map(({ node: at, back, other }) =>
  step(
    `Resend(${at}, ${back} back${other ? ', with other content' : ''})`,
    (client, real) => {
      const request = client.sent.at(-1 - (back % client.sent.length))
      assert.ok(request)
      return client.exchange(real, at, [other ? otherContent(request) : { ...request }])
    },
    hasSent,
  ),
)

/** A node is killed when so many pieces of data have passed between it and Postgres. */
const crash = fc
  .record({
    node,
    pieces: fc.integer({ min: 1, max: 24 }),
    drafts: fc.oneof(
      manyDrafts,
      oneDraft.map(draft => [draft]),
      fc.constant([]),
    ),
  })
  .map(({ node: at, pieces, drafts }) =>
    step(`Crash(${at}, after ${pieces} pieces of ${show(drafts)})`, (client, real) =>
      client.exchangeAndKill(real, at, pieces, requestsOf(client, real, drafts)),
    ),
  )

const wait = fc.constantFrom(1, 31, 100, 7_200).map(seconds =>
  step(`Wait(${seconds} s)`, async (client, real) => {
    real.clock.advance(seconds * 1_000)
    await client.settle(real)
  }),
)

const lookBack = fc.record({ node, actor: fc.nat({ max: 7 }), version: fc.nat({ max: 7 }) }).map(picked =>
  step(
    `LookBack(${picked.node}, actor ${picked.actor}, version ${picked.version})`,
    async ({ world }, real) => {
      const keys = [...world.actors.keys()]
      const key = keys[picked.actor % keys.length] ?? ''
      const version = 1 + (picked.version % (world.actors.get(key)?.length ?? 1))
      await checkView(world, real, picked.node, key, version)
      await checkView(world, real, picked.node, key)
    },
    ({ world }) => world.actors.size > 0,
  ),
)

const restart = node.map(at =>
  step(`Restart(${at})`, async (client, real) => {
    await real.restart(at)
    await client.settle(real)
  }),
)

const secondNode = fc.constant(
  step('SecondNode()', async (client, real) => {
    if (real.size < MAX_NODES) await real.startAnother()
    else await real.stopLast()
    await client.settle(real)
  }),
)

const rebuildTables = fc.constant(step('RebuildTables()', ({ world }, real) => checkReadTables(world, real)))
const checkEverything = fc.constant(step('CheckEverything()', ({ world }, real) => checkAll(world, real)))

const WEIGHTED: readonly (readonly [number, fc.Arbitrary<Step>])[] = [
  [12, send],
  [4, burst],
  [4, crash],
  [3, resend],
  [2, wait],
  [2, lookBack],
  [1, restart],
  [1, secondNode],
  [1, rebuildTables],
  [1, checkEverything],
]

export function stepsOf(maxCommands: number): fc.Arbitrary<Iterable<Step>> {
  const arbitraries = WEIGHTED.flatMap(([weight, arbitrary]) => Array.from({ length: weight }, () => arbitrary))
  return fc.commands(arbitraries, { maxCommands, size: 'max' })
}

function show(drafts: readonly Draft[]): string {
  return drafts
    .map(({ event, who, value, version }) => `${event}#${who}=${value}${version === 'any' ? '' : `@${version}`}`)
    .join(' ')
}
