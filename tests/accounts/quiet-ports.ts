/** What accounts need of a node and these tests do not look at. */
import type { AccountPorts } from '../../src/accounts/ports.ts'

type Quiet = 'activity' | 'restingSessions' | 'linkIsUp' | 'placeOf' | 'listActors' | 'withLease' | 'onCommitted'

export const QUIET_PORTS: Pick<AccountPorts, Quiet> = {
  activity: { note: () => {}, lastSeen: () => undefined, refresh: () => {} },
  restingSessions: async () => [],
  linkIsUp: () => true,
  placeOf: () => undefined,
  listActors: async () => [],
  withLease: async () => undefined,
  onCommitted: () => {},
}
