/** How fast nodes hear of each other: at fixed rates, at most, after a pause; and what merging costs. */
import type { Bench } from './bench.ts'
import { measureCatchUp } from './sync/catch-up.ts'
import { type Installation, openInstallation } from './sync/installation.ts'
import { measureMaximum } from './sync/maximum.ts'
import { measureMerging } from './sync/merging.ts'
import { measureRates } from './sync/rates.ts'

interface Part {
  readonly ours: unknown
  readonly peers?: Readonly<Record<string, unknown>>
  readonly ratio?: Readonly<Record<string, number>>
  readonly bars?: Readonly<Record<string, unknown>>
}

export const sync: Bench = async ({ server, quick, only, progress }) => {
  const seconds = quick ? 0.6 : 6
  const parts: Readonly<Record<string, (installation: Installation) => Promise<Part>>> = {
    rates: installation => measureRates(installation, seconds, progress),
    maximum: installation => measureMaximum(installation, quick ? 2 : 8, progress),
    catchUp: async installation => ({
      ours: await measureCatchUp(installation, quick ? 20_000 : 100_000, progress),
    }),
    merging: () => measureMerging(quick, progress),
  }
  const unknown = only?.filter(part => !Object.hasOwn(parts, part)) ?? []
  if (unknown.length > 0)
    throw new Error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`)

  progress('making live streams')
  const installation = await openInstallation(server)
  const done: Record<string, Part> = {}
  try {
    for (const [name, part] of Object.entries(parts))
      if (only === undefined || only.includes(name)) done[name] = await part(installation)
  } finally {
    await installation.close()
  }
  const all = Object.entries(done)
  return {
    ours: Object.fromEntries(all.map(([name, { ours }]) => [name, ours])),
    peers: Object.fromEntries(all.flatMap(([name, { peers }]) => (peers === undefined ? [] : [[name, peers]]))),
    ratio: Object.assign({}, ...all.map(([, { ratio }]) => ratio)),
    bars: Object.assign({}, ...all.map(([, { bars }]) => bars)),
    secondsEach: seconds,
  }
}
