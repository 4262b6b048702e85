/** How many histories the suites play, and from which seed: ROOTSTREAM_MERGE_RUNS and ROOTSTREAM_MERGE_SEED, or few and any. */

/** @param otherwise where the environment names no number */
export function mergeRuns(otherwise: number): number {
  return Number(process.env['ROOTSTREAM_MERGE_RUNS'] ?? otherwise)
}

export const mergeSeed = Number(process.env['ROOTSTREAM_MERGE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
