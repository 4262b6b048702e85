/** Resident memory of a node with many hot actors, above the same node idle. */
import type { Bench } from './bench.ts'
import { median, rounded } from './measure.ts'
import { reportOf } from './measured-process.ts'

export const SESSIONS = 10_000
export const STREAMS = 1_000

/** What the measured process says of itself, in bytes. */
export interface MemoryReport {
  readonly idle: number
  readonly hot: number
  /** On the heap. */
  readonly xstateActors: number
}

export const memory: Bench = async ({ server, quick, progress }) => {
  const rounds = quick ? 3 : 5
  const reports: MemoryReport[] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`)
    reports.push(await reportOf<MemoryReport>('memory-node.ts', await server.database()))
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
