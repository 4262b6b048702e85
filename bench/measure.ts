/** Takes the sides of a comparison in turn, several rounds, and states medians, spread and CPU an operation. */
import { readdirSync, readFileSync } from 'node:fs'

/** One side of a comparison. */
export interface Side {
  readonly name: string
  /**
   * Runs once and answers how many operations that were, or, where another process did the work, what that one measured.
   * `beginMeasuring` leaves what came before out.
   */
  run(beginMeasuring: () => void): Promise<number | Ran>
}

interface Ran {
  readonly operations: number
  readonly seconds: number
  /** Of the process that did the work. */
  readonly cpuMicros: number
}

export interface Figures {
  /** Median over the rounds. */
  readonly perSecond: number
  readonly lowest: number
  readonly highest: number
  /** Microseconds of CPU an operation, medians: this process, and the Postgres server with all its children. */
  readonly nodeCpuMicros: number
  readonly postgresCpuMicros: number
  readonly rounds: number
}

interface Round {
  readonly perSecond: number
  readonly nodeCpuMicros: number
  readonly postgresCpuMicros: number
}

const TICKS_PER_SECOND = 100

export interface CompareOptions {
  readonly rounds: number
  /** Pid of the server whose CPU is counted. */
  readonly postmaster: number
  readonly progress?: (text: string) => void
  /** Milliseconds. */
  readonly now?: () => number
}

/** Runs each side once to warm up and then in turn, the order turned around every round. */
export async function compare(
  sides: readonly Side[],
  { rounds: count, postmaster, progress, now = () => performance.now() }: CompareOptions,
): Promise<{ readonly figures: ReadonlyMap<string, Figures>; ratio(side: string, peer: string): number }> {
  const rounds = new Map<string, Round[]>(sides.map(({ name }) => [name, []]))
  for (let round = 0; round <= count; round++)
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      progress?.(`${round === 0 ? 'warming up' : `round ${round} of ${count}`}: ${side.name}`)
      const measured = await measure(side, postmaster, now)
      if (round > 0) rounds.get(side.name)?.push(measured)
    }
  const of = (name: string): readonly Round[] => rounds.get(name) ?? []
  return {
    figures: new Map(sides.map(({ name }) => [name, figures(of(name))])),
    // Round by round, so that what the machine did meanwhile hits both sides of a quotient.
    ratio: (side, peer) =>
      rounded(median(of(side).map(({ perSecond }, index) => perSecond / (of(peer)[index]?.perSecond ?? Number.NaN)))),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

async function measure({ run }: Side, postmaster: number, now: () => number): Promise<Round> {
  globalThis.gc?.()
  let started = now()
  let node = process.cpuUsage()
  let postgres = cpuSeconds(postmaster)
  const ran = await run(() => {
    started = now()
    node = process.cpuUsage()
    postgres = cpuSeconds(postmaster)
  })
  const { user, system } = process.cpuUsage(node)
  const here = { seconds: (now() - started) / 1_000, cpuMicros: user + system }
  const { operations, seconds, cpuMicros } = typeof ran === 'number' ? { operations: ran, ...here } : ran
  return {
    perSecond: operations / seconds,
    nodeCpuMicros: cpuMicros / operations,
    postgresCpuMicros: ((cpuSeconds(postmaster) - postgres) * 1e6) / operations,
  }
}

function figures(rounds: readonly Round[]): Figures {
  const speeds = rounds.map(({ perSecond }) => perSecond)
  return {
    perSecond: rounded(median(speeds)),
    lowest: rounded(Math.min(...speeds)),
    highest: rounded(Math.max(...speeds)),
    nodeCpuMicros: rounded(median(rounds.map(({ nodeCpuMicros }) => nodeCpuMicros))),
    postgresCpuMicros: rounded(median(rounds.map(({ postgresCpuMicros }) => postgresCpuMicros))),
    rounds: rounds.length,
  }
}

/** CPU of the server and its backends, those that ended included: Linux adds them to the parent that waited for them. */
export function cpuSeconds(postmaster: number): number {
  let ticks = 0
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const text = readFileSync(`/proc/${entry}/stat`, 'utf8')
      // After the name, which may hold anything: state, ppid, …, utime (12th), stime, cutime, cstime.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      const own = Number(entry) === postmaster
      if (!own && Number(fields[1]) !== postmaster) continue
      ticks += Number(fields[11]) + Number(fields[12]) + (own ? Number(fields[13]) + Number(fields[14]) : 0)
    } catch (error) {
      // It ended while the list was read.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH')
        throw error
    }
  }
  return ticks / TICKS_PER_SECOND
}
