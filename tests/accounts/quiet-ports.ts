/** What accounts need of a node and these tests do not look at. */
import type { AccountPorts } from '../../src/accounts/ports.ts'

export const QUIET_PORTS: Pick<AccountPorts, 'activity' | 'restingSessions' | 'linkIsUp' | 'placeOf'> = {
  activity: { note: () => {}, lastSeen: () => undefined, refresh: () => {} },
  restingSessions: async () => [],
  linkIsUp: () => true,
  placeOf: () => undefined,
}
