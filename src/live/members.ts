/** Which nodes are alive, as far as this one hears. Pure bookkeeping. */

export interface Members {
  /** Returns whether it was unknown or had fallen silent. */
  heard(writer: string, now: number): boolean
  gone(writer: string): boolean
  /** Forgets and returns those that were not heard for `silentMs`. */
  expire(now: number): readonly string[]
  isAlive(writer: string): boolean
  /** Those that live, this node included. */
  readonly alive: ReadonlySet<string>
}

const MAX_MEMBERS = 1_024

/** @param self always alive */
export function createMembers(self: string, silentMs: number): Members {
  const lastHeard = new Map<string, number>()
  const alive = new Set([self])
  const forget = (writer: string) => {
    lastHeard.delete(writer)
    return alive.delete(writer)
  }
  return {
    heard(writer, now) {
      if (writer === self) return false
      const known = lastHeard.has(writer)
      if (!known && lastHeard.size >= MAX_MEMBERS) return false
      lastHeard.set(writer, now)
      alive.add(writer)
      return !known
    },
    gone: writer => writer !== self && forget(writer),
    expire(now) {
      const silent = [...lastHeard].filter(([, at]) => now - at >= silentMs).map(([writer]) => writer)
      for (const writer of silent) forget(writer)
      return silent
    },
    isAlive: writer => alive.has(writer),
    alive,
  }
}

/** The same one on every node that knows the same ones. */
export function lowest(writers: Iterable<string>): string | undefined {
  let first: string | undefined
  for (const writer of writers) if (first === undefined || writer < first) first = writer
  return first
}
