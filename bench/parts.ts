/** A benchmark in parts that can be run one by one. */
import type { BenchResult } from './bench.ts'

export interface Part {
  readonly ours: unknown
  readonly peers?: unknown
  readonly ratio?: Readonly<Record<string, number>>
  readonly bars?: Readonly<Record<string, unknown>>
}

export type Parts = Readonly<Record<string, () => Promise<Part>>>

/** @param only the parts to run, in the order of `parts`; all where undefined */
export async function runParts(parts: Parts, only: readonly string[] | undefined): Promise<BenchResult> {
  const unknown = only?.filter(part => !Object.hasOwn(parts, part)) ?? []
  if (unknown.length > 0)
    throw new Error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`)
  const done: [name: string, part: Part][] = []
  for (const [name, part] of Object.entries(parts))
    if (only === undefined || only.includes(name)) done.push([name, await part()])
  return {
    ours: Object.fromEntries(done.map(([name, { ours }]) => [name, ours])),
    peers: Object.fromEntries(done.flatMap(([name, { peers }]) => (peers === undefined ? [] : [[name, peers]]))),
    ratio: Object.assign({}, ...done.map(([, { ratio }]) => ratio)),
    bars: Object.assign({}, ...done.map(([, { bars }]) => bars)),
  }
}
