/** Accounts' ports on a node, with what a test gives in place of them, and nothing behind those it does not look at. */
import { randomBytes } from 'node:crypto'
import { createAttemptLimiter } from '../../src/accounts/attempt-limiter.ts'
import { createBackground } from '../../src/accounts/background.ts'
import type { AccountPorts } from '../../src/accounts/ports.ts'
import { ACCOUNT_DEFAULTS } from '../../src/accounts/settings.ts'
import type { RuntimeNode } from '../../src/app.ts'
import { openDelivery } from '../../src/auth/delivery/open-delivery.ts'
import { createKeyRing } from '../../src/auth/key-ring.ts'
import { createPasswordHasher } from '../../src/auth/password-hasher.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'

export async function quietPorts(node: RuntimeNode, given: Partial<AccountPorts> = {}): Promise<AccountPorts> {
  const { clock = systemClock, log = silentLogger } = given
  return {
    clock,
    log,
    settings: ACCOUNT_DEFAULTS,
    hasher: createPasswordHasher(),
    keys: createKeyRing([{ id: 'test', key: randomBytes(32) }]),
    attempts: createAttemptLimiter({ clock }),
    delivery: await openDelivery({ mail: undefined, sms: undefined, clock, log }),
    background: createBackground(log),
    clearData: { count: async () => 0, seal: async () => 0 },
    actor: (type, id) => node.actor(type, id),
    nextId: type => node.log.nextId(type),
    holderOf: claim => node.log.holderOf(claim),
    find: async (table, column, value) => {
      await node.projections.caughtUp(await node.log.head())
      return node.projections.find(table, column, value)
    },
    activity: { note: () => {}, lastSeen: () => undefined, refresh: () => {} },
    restingSessions: async () => [],
    linkIsUp: () => true,
    placeOf: () => undefined,
    listActors: async () => [],
    withLease: (name, ttlMs, work) => node.actors.withLease(name, ttlMs, work),
    onCommitted: () => {},
    ...given,
  }
}
