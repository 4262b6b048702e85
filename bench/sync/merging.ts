/** What a merge costs with 3, 10 and 100 nodes, beside Yjs and Automerge taking the same updates of a map. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { rounded } from '../measure.ts'

const NODES = [3, 10, 100]
const SIDES = ['ours', 'yjs', 'automerge'] as const

type Figures = Readonly<Record<string, number>>
type Side = (typeof SIDES)[number]

export async function measureMerging(quick: boolean, progress: (text: string) => void) {
  const figures: Record<Side, Record<string, Figures>> = { ours: {}, yjs: {}, automerge: {} }
  const ratio: Record<string, number> = {}
  for (const nodes of NODES) {
    for (const side of SIDES) {
      progress(`merging with ${nodes} nodes: ${side}`)
      figures[side][`${nodes}Nodes`] = await measured(side, nodes, quick ? 2_000 : 20_000)
    }
    for (const peer of ['yjs', 'automerge'] as const)
      ratio[`merge${nodes}NodesTo${peer}`] = rounded(
        (figures[peer][`${nodes}Nodes`]?.['gatheredMicros'] ?? Number.NaN) /
          (figures.ours[`${nodes}Nodes`]?.['gatheredMicros'] ?? Number.NaN),
      )
  }
  const { ours, ...peers } = figures
  return { ours, peers, ratio }
}

/** In a process of its own: the compiled code of one side is not in the way of another. */
async function measured(side: Side, nodes: number, updates: number): Promise<Figures> {
  const file = path.join(import.meta.dirname, '../sides/merging.ts')
  const child = fork(file, [side, String(nodes), String(updates)], { execArgv: process.execArgv })
  const exited = once(child, 'exit')
  const [answer] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => {
      throw new Error(`merging by ${side} ended with ${code}`)
    }),
  ])) as [Figures]
  await exited
  return answer
}
