/** Sessions while the log is away: they are used, closed and revoked; none begins and none is prolonged. */
import { custom, isLater, lattice, type MergeRules } from '../merge-rules.ts'

const ORDER = ['pending', 'active', 'expired', 'closed', 'revoked'] as const
/** Events that say when the session was last seen. */
const SEEN = ['session.touched', 'session.refreshed']

export const merge: MergeRules = {
  'session.touched': custom(({ event, beside }) =>
    beside.some(other => SEEN.includes(other.type) && isLater(other, event))
      ? { outcome: 'absorbed' }
      : { outcome: 'applied', data: event.data },
  ),
  'session.closed': lattice(ORDER, 'closed'),
  'session.revoked': lattice(ORDER, 'revoked'),
}
