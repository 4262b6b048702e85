/**
 * Dots, version vectors, and the short form in which the log keeps them.
 *
 * A dot names one event by who wrote it. A vector says, for each writer, up to which of its events somebody knows. The log
 * of an actor is one total order, so a writer that has seen all of it up to a version needs no vector: that version is one.
 */

/** `[node#incarnation, n]`: the n-th event of that start of that node; from 1. */
export type Dot = readonly [source: string, n: number]

/** Source → the n up to which its events are known. What is missing is 0. */
export type VersionVector = ReadonlyMap<string, number>

/** What a writer knew of an actor, compressed by the log's order. */
export interface Knowledge {
  /** All events of the log up to this version. */
  readonly basis: number
  /** And these, heard of before they were in the log, with all that their writers had written of the actor before. */
  readonly extra: readonly Dot[]
}

/** An event of an actor's log, as far as causality goes. */
export interface LoggedDot {
  readonly version: number
  readonly dot: Dot
}

export function formatDot([source, n]: Dot): string {
  return `${source}:${n}`
}

export function includesDot(vector: VersionVector, [source, n]: Dot): boolean {
  return (vector.get(source) ?? 0) >= n
}

/** What either knows. */
export function mergeVectors(a: VersionVector, b: VersionVector): VersionVector {
  const merged = new Map(a)
  for (const [source, n] of b) merged.set(source, Math.max(merged.get(source) ?? 0, n))
  return merged
}

export function withDot(vector: VersionVector, [source, n]: Dot): VersionVector {
  return mergeVectors(vector, new Map([[source, n]]))
}

/** The least vector that includes these. */
export function vectorOf(dots: readonly Dot[]): VersionVector {
  return dots.reduce(withDot, new Map() as VersionVector)
}

/** The events of the log that are concurrent with one written at `version` with this knowledge: neither knew of the other. */
export function eventsBeside<Event extends LoggedDot>(
  { basis, extra }: Knowledge,
  version: number,
  log: readonly Event[],
): readonly Event[] {
  const known = vectorOf(extra)
  return log.filter(event => event.version > basis && event.version < version && !includesDot(known, event.dot))
}

/** The vector without these sources. Vectors are comparable where the same sources were dropped from both. */
export function dropSources(vector: VersionVector, sources: ReadonlySet<string>): VersionVector {
  return new Map([...vector].filter(([source]) => !sources.has(source)))
}
