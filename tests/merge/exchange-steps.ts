/** What may happen to nodes that have only each other, and what has to hold of them after every step. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { dotsOf, type ExchangeFault, ExchangeWorld } from './exchange-world.ts'

export type ExchangeStep =
  | { readonly kind: 'add' | 'remove'; readonly node: number; readonly member: string }
  | { readonly kind: 'deliver'; readonly which: number; readonly doubled: boolean }
  | { readonly kind: 'pull' | 'lose disk'; readonly node: number; readonly from: number }
  | { readonly kind: 'promise' | 'prune' | 'restart' | 'cut' | 'heal'; readonly node: number }
  | { readonly kind: 'promise at once'; readonly node: number }

const node = fc.nat(2)
const on = <Kind extends string>(...kinds: Kind[]) => fc.record({ kind: fc.constantFrom(...kinds), node })
const two = <Kind extends string>(...kinds: Kind[]) => fc.record({ kind: fc.constantFrom(...kinds), node, from: node })

function steps(
  members: readonly string[],
  weights: { readonly loss: number; readonly pruning: number; readonly bus: number },
) {
  const step: fc.Arbitrary<ExchangeStep> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom('add' as const, 'remove' as const),
        node,
        member: fc.constantFrom(...members),
      }),
    },
    {
      weight: weights.bus,
      arbitrary: fc.record({ kind: fc.constant('deliver' as const), which: fc.nat(30), doubled: fc.boolean() }),
    },
    { weight: 3, arbitrary: two('pull') },
    { weight: weights.loss, arbitrary: two('lose disk') },
    { weight: weights.loss, arbitrary: on('restart') },
    { weight: weights.pruning, arbitrary: on('promise', 'promise at once', 'promise at once', 'prune') },
    { weight: 1, arbitrary: on('cut', 'heal', 'heal') },
  )
  return fc.array(step, { maxLength: 60, size: 'max' })
}

/** Half of the histories lose disks and prune far more often than nodes do: what breaks there is rare elsewhere. */
export const exchangeSteps = fc.oneof(
  steps(['admin', 'operator'], { loss: 1, pruning: 2, bus: 8 }),
  steps(['admin'], { loss: 3, pruning: 8, bus: 2 }),
)

/** Plays the steps, checks after every one, and lets everything come to rest. Throws what a check finds. */
export function playExchange(history: readonly ExchangeStep[], fault?: ExchangeFault): ExchangeWorld {
  const world = new ExchangeWorld(fault)
  for (const step of history) {
    take(world, step)
    checkExchange(world)
  }
  world.settle()
  checkExchange(world)
  checkQuiet(world)
  return world
}

function take(world: ExchangeWorld, step: ExchangeStep): void {
  switch (step.kind) {
    case 'add':
    case 'remove':
      world.change(step.node, step.kind, step.member)
      break
    case 'deliver':
      world.deliver(step.which, step.doubled)
      break
    case 'pull':
      world.pull(step.node, step.from)
      break
    case 'promise':
      world.promise(step.node, 'sent')
      break
    case 'promise at once':
      world.promise(step.node, 'heard')
      break
    case 'prune':
      world.prune(step.node)
      break
    case 'restart':
      world.restart(step.node)
      break
    case 'lose disk':
      world.loseDisk(step.node, step.from)
      break
    case 'cut':
    case 'heal':
      world.setReachable(step.node, step.kind === 'heal')
      break
  }
}

function checkExchange(world: ExchangeWorld): void {
  expect(world.reused, 'a dot names one event').toEqual([])
  for (const [index, { name, inbox, set }] of world.replicas.entries()) {
    const reached = world.reached[index] ?? new Set()
    expect([...dotsOf(inbox.held)].sort(), `${name} holds what its vector says`).toEqual([...reached].sort())
    expect([...set.members.keys()].sort(), `the members at ${name}`).toEqual(membersOf(world, reached))
  }
}

/** A member is there where some addition knew of every removal: whatever the order in which they came, and what was pruned. */
function membersOf({ truth }: ExchangeWorld, reached: ReadonlySet<string>): readonly string[] {
  const known = [...truth].filter(([dot]) => reached.has(dot)).map(([dot, { change, past }]) => ({ dot, change, past }))
  const of = (kind: 'add' | 'remove', member: string) =>
    known.filter(({ change }) => change.kind === kind && change.member === member)
  const all = new Set(known.map(({ change }) => change.member))
  return [...all]
    .filter(member => {
      const removals = of('remove', member)
      return of('add', member).some(({ past }) => removals.every(({ dot }) => past.has(dot)))
    })
    .sort()
}

function checkQuiet(world: ExchangeWorld): void {
  const [first, ...others] = world.replicas
  for (const other of others) {
    expect([...other.inbox.held].sort(), `${other.name} holds what ${first?.name} holds`).toEqual(
      [...(first?.inbox.held ?? [])].sort(),
    )
    expect([...other.set.members.keys()].sort()).toEqual([...(first?.set.members.keys() ?? [])].sort())
  }
  // Metadata is bounded: once all have promised what all hold, no tombstone is needed.
  for (const index of world.replicas.keys()) world.promise(index, 'heard')
  for (const index of world.replicas.keys()) world.prune(index)
  for (const { name, set } of world.replicas) expect([...set.tombstones], `tombstones at ${name}`).toEqual([])
}
