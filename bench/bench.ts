/** What a benchmark is given and answers. */
import type { BenchServer } from './server.ts'

export interface BenchContext {
  readonly server: BenchServer
  /** Ends within a minute: fewer events, the same number of rounds. */
  readonly quick: boolean
  /** The parts to run, where a benchmark has parts; all where undefined. */
  readonly only?: readonly string[] | undefined
  progress(text: string): void
}

export interface BenchResult {
  readonly ours: Readonly<Record<string, unknown>>
  readonly peers: Readonly<Record<string, unknown>>
  /** Ours to the peer's; above 1 where ours does more in the same time. */
  readonly ratio: Readonly<Record<string, number>>
  readonly [more: string]: unknown
}

export type Bench = (context: BenchContext) => Promise<BenchResult>
