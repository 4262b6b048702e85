/** Resident memory of a node with many hot actors, above the same node idle. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { Bench } from './bench.ts'
import { median, rounded } from './measure.ts'

export const SESSIONS = 10_000
export const STREAMS = 1_000

/** What the measured process says of itself, in bytes. */
export interface MemoryReport {
  readonly idle: number
  readonly hot: number
  readonly xstateActors: number
}

export const memory: Bench = async ({ server, quick, progress }) => {
  const rounds = quick ? 3 : 5
  const reports: MemoryReport[] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`)
    reports.push(await measureNode(await server.database()))
  }
  const mb = (pick: (report: MemoryReport) => number) => rounded(median(reports.map(pick)) / 2 ** 20)
  const ours = mb(({ idle, hot }) => hot - idle)
  const peer = mb(({ xstateActors }) => xstateActors)
  return {
    ours: { aboveIdleMb: ours, idleMb: mb(({ idle }) => idle), hotMb: mb(({ hot }) => hot) },
    peers: { runningXstateActorsMb: peer },
    ratio: { memoryToRunningXstateActors: rounded(ours / peer) },
    unit: `${SESSIONS} sessions and ${STREAMS} streams`,
    rounds,
  }
}

/** In a process of its own: memory that was used once is seldom given back. */
async function measureNode(url: string): Promise<MemoryReport> {
  const child = fork(path.join(import.meta.dirname, 'memory-node.ts'), [url], {
    execArgv: [...process.execArgv, '--expose-gc'],
  })
  const [report] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the measured node ended with ${code}`)
    }),
  ])) as [MemoryReport]
  if (child.exitCode === null) await once(child, 'exit')
  return report
}
