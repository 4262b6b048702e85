/** A connection for counters that all nodes of a log share: what they count is lost with Redis, and nothing waits for it long. */
import { Cluster, Redis } from 'ioredis'
import type { Clock, Logger, Service } from '../core/ports.ts'
import { ANSWER_TIMEOUT_MS, connectionOptions, frameChannels, reasonOf, reopen } from './redis-link.ts'
import { createMasterRoutes, type ServerAddress } from './redis-master.ts'
import { parseRedisUrl } from './redis-url.ts'

/** A counter that takes longer is not asked: whoever waits for it counts by itself. */
const COMMAND_TIMEOUT_MS = 1_000

export interface RedisCountersOptions {
  /** See `parseRedisUrl`. */
  readonly url: string
  readonly ca?: string
  readonly node: string
  /** What identifies the log. It is hashed. */
  readonly namespace: string
  readonly clock: Clock
  readonly log: Logger
}

export interface RedisCounters extends Service {
  /** For libraries that count; its commands fail at once while Redis is away. */
  readonly client: Redis | Cluster
  /** Of the keys of this log. */
  readonly prefix: string
}

/** Throws AppError `invalid_input` (URL), `setup_failed` (ca). */
export function createRedisCounters({ url, ca, node, namespace, clock, log }: RedisCountersOptions): RedisCounters {
  const address = parseRedisUrl(url)
  const base = connectionOptions(address, node, ca)
  const patience = {
    connectionName: `${base.connectionName}:counters`,
    socketTimeout: ANSWER_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
  }
  let unwatch = () => {}
  const openServer = (server: ServerAddress) => {
    const routes = createMasterRoutes({ address: server, node, ca })
    const opened: Redis = new Redis({ ...routes.route(() => reopen(opened)), ...patience, db: server.db })
    unwatch = routes.watch(clock)
    return opened
  }
  const client =
    address.kind === 'cluster'
      ? new Cluster([...address.hosts], {
          redisOptions: { ...base, ...patience },
          lazyConnect: true,
          enableOfflineQueue: false,
          enableReadyCheck: false,
          clusterRetryStrategy: base.retryStrategy ?? null,
        })
      : openServer(address)
  const [channel = ''] = frameChannels(namespace, address.db)
  const prefix = channel.replace(/:frames:.*$/, ':attempts')
  let told = false
  const tell = (error: unknown) => {
    if (told) return
    told = true
    log.warn({ reason: reasonOf(error) }, 'attempts to sign in cannot be counted in Redis: each node counts for itself')
  }
  client.on('error', tell)
  client.on('ready', () => {
    told = false
    // Libraries pass over a right that is missing, and count alone for ever.
    client.eval("return redis.call('pttl', KEYS[1])", 1, `${prefix}:rights`).catch(tell)
  })
  return {
    client,
    prefix,
    // Redis may come later: nobody waits for it.
    start: async () => void client.connect().catch(tell),
    async stop() {
      unwatch()
      client.disconnect()
    },
  }
}
