/** What may happen to the simulated nodes, drawn at random. */
import fc from 'fast-check'
import type { JsonObject } from '../../src/core/json.ts'
import type { ActorState } from '../../src/core/state.ts'
import type { StreamContext } from '../../src/machines/stream/machine.ts'
import type { UserContext } from '../../src/machines/user/machine.ts'
import { checkLog, checkQuiet } from './log-checks.ts'
import type { LogFault } from './log-faults.ts'
import { LogWorld } from './log-world.ts'

export type LogStep =
  | { readonly kind: 'edit'; readonly node: number; readonly fields: JsonObject }
  | { readonly kind: 'grant' | 'revoke role'; readonly node: number; readonly role: string }
  | { readonly kind: 'close' | 'revoke' | 'expire' | 'join' | 'leave'; readonly node: number }
  | { readonly kind: 'count'; readonly node: number; readonly more: number }
  | {
      readonly kind: 'cut' | 'heal' | 'drain' | 'drain and die' | 'read' | 'restart' | 'lose disk'
      readonly node: number
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'skew'; readonly node: number; readonly ms: number }

const node = fc.nat(2)
const on = <Kind extends string>(...kinds: Kind[]) => fc.record({ kind: fc.constantFrom(...kinds), node })

const step: fc.Arbitrary<LogStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('edit' as const),
      node,
      fields: fc
        .record(
          { displayName: fc.constantFrom('x', 'y', 'z'), avatarUrl: fc.constantFrom('/1', '/2') },
          { requiredKeys: [] },
        )
        .filter(fields => Object.keys(fields).length > 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('grant' as const, 'revoke role' as const),
      node,
      role: fc.constantFrom('viewer', 'admin'),
    }),
  },
  { weight: 2, arbitrary: on('join', 'leave') },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('count' as const), node, more: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: on('close', 'revoke', 'expire') },
  { weight: 4, arbitrary: on('cut') },
  { weight: 3, arbitrary: on('heal', 'drain', 'drain and die', 'read') },
  { weight: 2, arbitrary: on('restart', 'lose disk') },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(200) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('skew' as const), node, ms: fc.integer({ min: -2_000, max: 2_000 }) }),
  },
)

export const logSteps = fc.array(step, { maxLength: 40, size: 'max' })

/** Plays the steps, checks after every one, and lets everything come to rest. Throws what a check finds. */
export function playLog(steps: readonly LogStep[], fault?: LogFault): LogWorld {
  const world = playSteps(steps, fault)
  for (const node of world.nodes) {
    node.connected = true
    world.drain(node)
    checkLog(world)
  }
  for (const node of world.nodes) world.catchUp(node)
  checkQuiet(world)
  return world
}

/** Plays the steps and checks after every one. */
export function playSteps(steps: readonly LogStep[], fault?: LogFault): LogWorld {
  const world = new LogWorld(fault)
  for (const one of steps) {
    take(world, one)
    checkLog(world)
  }
  return world
}

const roles = ({ context }: ActorState) => (context as unknown as UserContext).roles
const viewers = ({ context }: ActorState) => (context as unknown as StreamContext).row?.viewer_count ?? 0

function take(world: LogWorld, one: LogStep): void {
  if (one.kind === 'wait') {
    world.now += one.ms
    return
  }
  const node = world.nodes[one.node]
  if (node === undefined) throw new Error('no such node')
  switch (one.kind) {
    case 'edit':
      world.command(node, 'user', 'user.updated', () => one.fields)
      break
    case 'grant':
      world.command(node, 'user', 'user.roles.changed', state => ({
        roles: [...new Set([...roles(state), one.role])].sort(),
      }))
      break
    case 'revoke role':
      world.command(node, 'user', 'user.roles.changed', state => ({
        roles: roles(state).filter(role => role !== one.role),
      }))
      break
    case 'close':
      world.command(node, 'session', 'session.closed', () => ({}))
      break
    case 'revoke':
      world.command(node, 'session', 'session.revoked', () => ({}))
      break
    case 'expire':
      // A timer of the log: no node ends a session so by itself.
      world.command(node, 'session', 'session.expired', () => ({}))
      break
    case 'join':
      if (world.command(node, 'stream', 'viewer.joined', () => ({}))) node.guests += 1
      break
    case 'leave':
      if (node.guests > 0 && world.command(node, 'stream', 'viewer.left', () => ({}))) node.guests -= 1
      break
    case 'count':
      world.command(node, 'stream', 'stream.viewers.updated', state => ({ viewers: viewers(state) + one.more }))
      break
    case 'cut':
      node.connected = false
      break
    case 'heal':
      node.connected = true
      break
    case 'drain':
      world.drain(node)
      break
    case 'drain and die': {
      const { connected } = node
      world.drain(node, true)
      if (connected) world.restart(node, 'kept')
      break
    }
    case 'read':
      // What was accepted here is drained first: a view never goes back.
      world.drain(node)
      break
    case 'restart':
      world.restart(node, 'kept')
      break
    case 'lose disk':
      world.restart(node, 'lost')
      break
    case 'skew':
      node.skew = one.ms
      break
  }
}
