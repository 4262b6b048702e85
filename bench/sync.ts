/** How fast nodes hear of each other: at fixed rates, at most, after a pause; and what merging costs. */
import type { Bench } from './bench.ts'
import { runParts } from './parts.ts'
import { measureCatchUp } from './sync/catch-up.ts'
import { openInstallation } from './sync/installation.ts'
import { measureMaximum } from './sync/maximum.ts'
import { measureMerging } from './sync/merging.ts'
import { measureRates } from './sync/rates.ts'

export const sync: Bench = async ({ server, quick, only, progress }) => {
  const secondsEach = quick ? 0.6 : 6
  progress('making live streams')
  const installation = await openInstallation(server)
  try {
    const parts = {
      rates: () => measureRates(installation, secondsEach, progress),
      maximum: () => measureMaximum(installation, quick ? 2 : 8, progress),
      catchUp: async () => ({ ours: await measureCatchUp(installation, quick ? 20_000 : 100_000, progress) }),
      merging: () => measureMerging(quick, progress),
    }
    return { ...(await runParts(parts, only)), secondsEach }
  } finally {
    await installation.close()
  }
}
