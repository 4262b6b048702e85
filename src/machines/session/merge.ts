/** Sessions while the log is away: they are used, closed and revoked; none begins and none is prolonged. */
import { custom, isLater, lattice, type MergeRules } from '../merge-rules.ts'

/** Below all of them is `pending`. Where two of these meet, the later one holds; the machine goes the same way. */
export const STATUS_ORDER = ['active', 'expired', 'closed', 'revoked'] as const
/** Events that say when the session was last seen. */
const SEEN = ['session.touched', 'session.refreshed']

export const merge: MergeRules = {
  'session.touched': custom(({ event, beside }) =>
    beside.some(other => SEEN.includes(other.type) && isLater(other, event))
      ? { outcome: 'absorbed' }
      : { outcome: 'applied', data: event.data },
  ),
  'session.closed': lattice(STATUS_ORDER, 'closed'),
  'session.revoked': lattice(STATUS_ORDER, 'revoked'),
}
