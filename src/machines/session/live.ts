/** When a session was last seen: each request says so, the log is told once a while. */
import type { LiveDefinition } from '../live-fields.ts'

/** The log is told within a minute. */
const AT_REST_MS = 4 * 60_000

export const live: LiveDefinition = {
  fields: { lastSeen: { rule: 'max', max: Number.MAX_SAFE_INTEGER, time: true } },
  // A session has one life.
  period: state => (state === 'active' ? 'active' : undefined),
  flush: {
    'session.touched': ({ lastSeen }) =>
      lastSeen === undefined ? undefined : { seenAt: new Date(Number(lastSeen)).toISOString() },
  },
  // The log keeps the latest. What it is not told for as long as a session may rest ends it on every other node.
  flushAlone: true,
  // Open sessions that nobody uses are many: a remembered one lasts for a month.
  isAtRest: ({ lastSeen = 0 }, now) => now - Number(lastSeen) >= AT_REST_MS,
  flushMs: 60_000,
  lifecycle: ['session.closed', 'session.revoked', 'session.expired'],
}
