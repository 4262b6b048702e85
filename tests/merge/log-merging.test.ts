/** Nodes cut off from the log: whatever happens to them, the log ends where an oracle apart from the rules says. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SessionContext } from '../../src/machines/session/machine.ts'
import type { StreamContext } from '../../src/machines/stream/machine.ts'
import type { UserContext } from '../../src/machines/user/machine.ts'
import { logSteps, playLog, playSteps } from './log-steps.ts'
import type { LogWorld } from './log-world.ts'
import { mergeRuns, mergeSeed as seed } from './runs.ts'

const RUNS = mergeRuns(1_000)

test(`after every step of ${RUNS} histories (seed ${seed}) the log is what the oracle says`, { timeout: 0 }, () => {
  fc.assert(
    fc.property(logSteps, steps => void playLog(steps)),
    { seed, numRuns: RUNS },
  )
})

test('the histories hold what they are to test', () => {
  const seen = { merged: 0, absorbed: 0, lost: 0 }
  for (const steps of fc.sample(logSteps, { numRuns: 300, seed: 1 })) {
    const world = playLog(steps)
    const logged = new Set(Object.values(world.logs).flatMap(log => log.map(({ dot }) => dot)))
    seen.absorbed += world.processed.filter(({ dot }) => !logged.has(dot)).length
    seen.merged += world.processed.length
    seen.lost += world.lost.size
  }
  expect(seen.merged).toBeGreaterThan(1_000)
  expect(seen.absorbed).toBeGreaterThan(50)
  expect(seen.lost).toBeGreaterThan(20)
})

/** What was merged, without the times at which it was. */
function outcome(world: LogWorld) {
  const user = world.head('user').context as unknown as UserContext
  const stream = world.head('stream').context as unknown as StreamContext
  const session = world.head('session')
  return {
    name: user.row?.display_name,
    avatar: user.row?.avatar_url,
    roles: user.roles,
    status: session.value,
    active: (session.context as unknown as SessionContext).row?.is_active,
    viewers: stream.row?.viewer_count,
  }
}

const permutations = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

test('journals are drained to the same end in any order, and once more to no effect', { timeout: 0 }, () => {
  fc.assert(
    fc.property(logSteps, steps => {
      // Behind the last reading nobody hears of anybody: what the journals then hold may come in any order.
      const apart = steps.filter(({ kind }) => !['heal', 'lose disk', 'restart', 'drain and die'].includes(kind))
      const [first, ...others] = permutations.map(order => {
        const world = playSteps(apart)
        for (const node of world.nodes) node.connected = true
        for (const index of order) {
          const node = world.nodes[index]
          if (node === undefined) continue
          world.drain(node, true)
          const once = Object.values(world.logs).map(log => log.length)
          world.drain(node)
          expect(Object.values(world.logs).map(log => log.length)).toEqual(once)
        }
        return outcome(world)
      })
      for (const other of others) expect(other).toEqual(first)
    }),
    { seed, numRuns: Math.ceil(RUNS / 5) },
  )
})
