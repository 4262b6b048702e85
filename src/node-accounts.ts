/** Opens what accounts need of a node: places, mails and text messages, counters of attempts, and the keeper of the key ring. */
import { createAttemptLimiter } from './accounts/attempt-limiter.ts'
import { createBackground } from './accounts/background.ts'
import { createFactorSecrets } from './accounts/factor-secrets.ts'
import type { AccountPorts } from './accounts/ports.ts'
import { createSessionActivity } from './accounts/session-activity.ts'
import type { AccountSettings } from './accounts/settings.ts'
import type { ActorSystem } from './actors/api.ts'
import { openDelivery } from './auth/delivery/open-delivery.ts'
import { createGeoDatabase } from './auth/geo-database.ts'
import { createKeyKeeper, type KeyKeeper, namingRecord } from './auth/key-keeper.ts'
import { createPasswordHasher } from './auth/password-hasher.ts'
import { actorRef } from './core/ids.ts'
import type { Bus, Clock, Logger, Service } from './core/ports.ts'
import type { LiveState } from './live/api.ts'
import type { Opened, OpenLog } from './node-log.ts'
import type { NodeOptions } from './node-options.ts'
import { createRedisCounters } from './sync/redis-counters.ts'

/** Sessions that are not over, by when the log last heard of them. */
const RESTING = { table: 'sessions', flag: 'is_active', time: 'last_activity' }

interface AccountParts
  extends Pick<OpenLog, 'store' | 'projections' | 'openedKeys' | 'installation' | 'frameKey' | 'rewriteEvents'> {
  readonly actors: ActorSystem
  readonly bus: Bus
  readonly liveState: LiveState
}

/** @param started starts a part, and has it stopped with the node */
export async function openAccountPorts(
  options: Omit<NodeOptions, 'accounts'> & Required<Pick<NodeOptions, 'clock' | 'log' | 'name'>>,
  settings: AccountSettings,
  { store, actors, projections, bus, liveState, openedKeys, installation, frameKey, rewriteEvents }: AccountParts,
  opened: Opened,
  started: <Part extends Service>(part: Part) => Promise<Part>,
): Promise<AccountPorts> {
  const { clock, log, name } = options
  const places =
    options.geoDatabase === undefined
      ? undefined
      : await started(createGeoDatabase({ file: options.geoDatabase, clock, log }))
  const delivery = await openDelivery({ mail: options.mail, sms: options.sms, clock, log })
  opened.push({ close: () => delivery.stop() })
  const background = createBackground(log)
  opened.push({ close: () => background.idle() })
  const counters =
    options.redis === undefined
      ? undefined
      : await started(
          createRedisCounters({
            url: options.redis,
            ...(options.redisCa === undefined ? {} : { ca: options.redisCa }),
            namespace: installation,
            node: name,
            clock,
            log,
          }),
        )
  return {
    clock,
    log,
    settings,
    hasher: createPasswordHasher(settings.passwordHashing),
    keys: openedKeys.ring,
    attempts: createAttemptLimiter({
      clock,
      budgets: settings.attemptBudgets,
      ...(counters === undefined ? {} : { shared: { ...counters, nameKey: await frameKey() } }),
    }),
    delivery,
    background,
    clearData: {
      count: actor => store.countClear(actor),
      seal: async (actor, user) => {
        const events = await store.sealedLater(actor, user)
        if (events.length > 0) await rewriteEvents?.(events)
        return events.length
      },
    },
    actor: (type, id) => actors.actor(actorRef(type, id)),
    nextId: type => store.nextId(type),
    holderOf: claim => store.holderOf(claim),
    listActors: (type, after, limit) => store.listActors(type, after, limit),
    withLease: (lease, ttlMs, work) => actors.withLease(lease, ttlMs, work),
    onCommitted: listener => void actors.onCommitted(listener),
    find: async (table, column, value) => {
      await projections.caughtUp(await store.head())
      return projections.find(table, column, value)
    },
    restingSessions: (before, after, limit) => projections.olderThan(RESTING, before, after, limit),
    linkIsUp: () => bus.healthy,
    activity: createSessionActivity({
      clock,
      log,
      live: {
        tell: (sessionId, at) => liveState.handle(actorRef('session', sessionId)).set('lastSeen', at),
        read: sessionId => {
          const { lastSeen } = liveState.handle(actorRef('session', sessionId)).read()
          return lastSeen === undefined ? undefined : Number(lastSeen)
        },
      },
    }),
    placeOf: address => places?.placeOf(address),
  }
}

interface KeyParts
  extends Pick<OpenLog, 'store' | 'projections' | 'openedKeys' | 'personalKeys' | 'namingKey' | 'sealedSecrets'> {
  readonly actors: ActorSystem
  readonly clock: Clock
  readonly log: Logger
}

/** Says in the log, once it is known, which keys are missing. */
export function createKeys({
  actors,
  projections,
  store,
  clock,
  log,
  openedKeys,
  personalKeys,
  namingKey,
  sealedSecrets,
}: KeyParts): KeyKeeper {
  const caughtUp = async () => projections.caughtUp(await store.head())
  const keys = createKeyKeeper({
    opened: openedKeys,
    records: [
      createFactorSecrets({
        keys: openedKeys.ring,
        factor: id => actors.actor(actorRef('factor', id)),
        uses: async () => {
          await caughtUp()
          return sealedSecrets.uses()
        },
        notUnder: async (keyId, after, limit) => {
          await caughtUp()
          return sealedSecrets.notUnder(keyId, after, limit)
        },
      }),
      personalKeys,
      namingRecord(namingKey, openedKeys.ring),
    ],
    clock,
    alone: work => actors.withLease('key-ring', 10_000, work),
  })

  void keys.list().then(
    () => {
      const { missing } = keys.status()
      if (missing.length > 0) log.error({ missing }, 'secrets are sealed under keys that are not in the key ring')
    },
    error => log.debug({ error: String(error) }, 'it is not known yet which keys secrets are sealed under'),
  )
  return keys
}
