/** When sessions were last in use: kept here, told to the other nodes and the log only now and then. */
import type { Clock, Logger } from '../core/ports.ts'

export interface SessionActivity {
  /**
   * Notes that a session is in use now. Never throws.
   * @param known when it is known to have been in use last
   * @param everyMs what is younger than this is not told
   */
  note(sessionId: number, known: number, everyMs: number): void
  /** As this node has noted, or heard from the others; undefined where only the log knows. Milliseconds. */
  lastSeen(sessionId: number): number | undefined
  /**
   * Runs work in the background unless it is under way already, or was begun within `everyMs`; what fails is left to
   * whoever asks next.
   */
  refresh(key: string, work: () => Promise<unknown>, everyMs?: number): void
}

export interface SessionActivityOptions {
  readonly clock: Clock
  readonly log: Logger
  /** The live figure of a session, merged over all nodes. */
  readonly live: {
    tell(sessionId: number, at: number): void
    read(sessionId: number): number | undefined
  }
}

/** What a node remembers of sessions; past that the oldest are forgotten, at the cost of one more write. */
const MAX_NOTED = 100_000

export function createSessionActivity({ clock, log, live }: SessionActivityOptions): SessionActivity {
  const noted = new Map<number, number>()
  const running = new Set<string>()
  const begun = new Map<string, number>()
  const own = (sessionId: number): number | undefined => {
    const at = noted.get(sessionId)
    // Of a clock that was set back since: it would hold a session open for as long.
    return at === undefined || at > clock.now() ? undefined : at
  }
  return {
    note(sessionId, known, everyMs) {
      const now = clock.now()
      if (now - Math.max(known, own(sessionId) ?? Number.NEGATIVE_INFINITY) < everyMs) return
      remember(noted, sessionId, now)
      try {
        live.tell(sessionId, now)
      } catch (error) {
        log.debug({ session: sessionId, error: String(error) }, 'the use of a session was not told')
      }
    },
    lastSeen(sessionId) {
      const heard = live.read(sessionId)
      const usable = heard === undefined || heard > clock.now() ? undefined : heard
      const here = own(sessionId)
      return usable === undefined ? here : Math.max(usable, here ?? 0)
    },
    refresh(key, work, everyMs = 0) {
      if (running.has(key)) return
      if (everyMs > 0) {
        const age = clock.now() - (begun.get(key) ?? Number.NEGATIVE_INFINITY)
        if (age >= 0 && age < everyMs) return
        remember(begun, key, clock.now())
      }
      running.add(key)
      work()
        .catch(error => log.debug({ actor: key, error: String(error) }, 'a copy was not refreshed'))
        .finally(() => running.delete(key))
    },
  }
}

/** The newest at the end, the oldest forgotten where there are too many. */
function remember<Key>(times: Map<Key, number>, key: Key, at: number): void {
  times.delete(key)
  times.set(key, at)
  for (const [oldest] of times) {
    if (times.size <= MAX_NOTED) return
    times.delete(oldest)
  }
}
