/** The steps of a run, as fast-check draws, prints and shrinks them. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { checkAll, checkReadTables, checkView } from './checks.ts'
import type { Client } from './client.ts'
import { cut, cutOnAir, effectAndCut } from './cuts.ts'
import { type Draft, flickering, manyDrafts, oneDraft, otherContent } from './drafts.ts'
import type { Request } from './expectations.ts'
import type { Installation } from './installation.ts'

type Step = fc.AsyncCommand<Client, Installation>

/** A step is drawn without knowing what there will be; `check` leaves out what would be idle when its turn comes. */
function step(
  name: string,
  run: (client: Client, real: Installation) => Promise<void>,
  check: (client: Readonly<Client>) => boolean = () => true,
): Step {
  return {
    check: client => client.steps < MAX_STEPS && check(client),
    run: async (client, real) => {
      client.steps++
      client.hasRested = true
      // Each step has a time of its own.
      real.clock.advance(1)
      await run(client, real)
    },
    toString: () => name,
  }
}

const MAX_STEPS = 30
const MAX_NODES = 2

/** Sends them; most of what is drawn waits until it would be taken. */
function sending(
  name: string,
  drafts: readonly Draft[],
  anyhow: boolean,
  run: (client: Client, real: Installation, requests: readonly Request[]) => Promise<void>,
): Step {
  return step(
    `${name}: ${drafts.map(show).join(', ')}`,
    (client, real) => {
      const requests = client.requests(drafts)
      client.sent.push(...requests)
      client.hasRested = false
      return run(client, real, requests)
    },
    client => anyhow || client.isPromising(drafts),
  )
}

/** A step at which no client does anything new: one of them between two requests is enough. */
function resting(
  name: string,
  run: (client: Client, real: Installation) => Promise<void>,
  check: (client: Readonly<Client>) => boolean = () => true,
): Step {
  return step(name, run, client => !client.hasRested && check(client))
}

const node = fc.nat({ max: MAX_NODES - 1 })
const anyhow = fc.nat({ max: 9 }).map(n => n === 9)

const send = fc
  .record({ node, draft: oneDraft, anyhow })
  .map(({ node: at, draft, anyhow: always }) =>
    sending(`Send(${at})`, [draft], always, (client, real, requests) => client.exchange(real, at, requests)),
  )

const atOnce = fc.oneof({ weight: 4, arbitrary: manyDrafts }, { weight: 1, arbitrary: flickering })

/** At once, and some of them twice. */
const burst = fc
  .record({ node, drafts: atOnce, twice: fc.nat({ max: 2 }), anyhow })
  .map(({ node: at, drafts, twice, anyhow: always }) =>
    sending(`Burst(${at}, first ${twice} twice)`, drafts, always, (client, real, requests) =>
      client.exchange(real, at, [...requests, ...requests.slice(0, twice)]),
    ),
  )

const recalled = fc.record({ node, back: fc.nat({ max: 11 }), other: fc.boolean(), erased: fc.boolean() })

const resend = recalled.map(({ node: at, back, other, erased }) =>
  resting(
    `Resend(${at}, ${back} back${erased ? ', of the erased' : ''}${other ? ', with other content' : ''})`,
    (client, real) => {
      const among = erased && client.erased.length > 0 ? client.erased : client.sent
      const request = among.at(-1 - (back % among.length))
      assert.ok(request)
      return client.exchange(real, at, [other ? otherContent(request) : request])
    },
    ({ sent }) => sent.length > 0,
  ),
)

/** A node is killed, or loses its connections, with requests or their effects under way. */
const crash = fc
  .record({
    node,
    what: fc.oneof(
      fc.record({ cut, drafts: atOnce }),
      fc.record({ cut, drafts: oneDraft.map((draft): readonly Draft[] => [draft]) }),
      fc.record({ cut: cutOnAir, drafts: flickering }),
      effectAndCut,
    ),
    anyhow,
  })
  .map(({ node: at, what, anyhow: always }) => {
    // What a killed node was asked can be settled only by a command id.
    const nameless = what.cut.how === 'kill' ? { nameless: false } : {}
    const drafts = what.drafts.map(draft => ({ ...draft, ...nameless }))
    return sending(`Crash(${at}, ${JSON.stringify(what.cut)})`, drafts, always, (client, real, requests) =>
      client.exchangeAndCut(real, at, what.cut, requests),
    )
  })

const wait = fc.constantFrom(31, 1, 31, 100, 7_200).map(seconds =>
  resting(`Wait(${seconds} s)`, async (client, real) => {
    real.clock.advance(seconds * 1_000)
    await client.settle(real)
  }),
)

const lookBack = fc.record({ node, actor: fc.nat({ max: 7 }), version: fc.nat({ max: 7 }) }).map(picked =>
  resting(
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
  resting(`Restart(${at})`, async (client, real) => {
    await real.restart(at)
    await client.settle(real)
  }),
)

const secondNode = fc.constant(
  resting('SecondNode()', async (client, real) => {
    if (real.size < MAX_NODES) await real.startAnother()
    else await real.stopLast()
    await client.settle(real)
  }),
)

const rebuildTables = fc.constant(resting('RebuildTables()', ({ world }, real) => checkReadTables(world, real)))
const checkEverything = fc.constant(resting('CheckEverything()', ({ world }, real) => checkAll(world, real)))

const WEIGHTED: readonly (readonly [number, fc.Arbitrary<Step>])[] = [
  [14, send],
  [4, burst],
  [8, crash],
  [3, resend],
  [5, wait],
  [2, lookBack],
  [1, restart],
  [1, secondNode],
  [1, rebuildTables],
  [1, checkEverything],
]

/** Many more than will be taken. */
const DRAWN = 200

export function steps(): fc.Arbitrary<Iterable<Step>> {
  const arbitraries = WEIGHTED.flatMap(([weight, arbitrary]) => Array.from({ length: weight }, () => arbitrary))
  return fc.commands(arbitraries, { maxCommands: DRAWN, size: 'max' })
}

function show({ event, who, value, version, nameless }: Draft): string {
  return `${event} #${who} ${value}${version === 'any' ? '' : ` at the ${version} version`}${nameless ? ' without id' : ''}`
}
