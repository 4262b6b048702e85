/**
 * The link over a Redis Cluster, by sharded pub/sub: a frame goes only through the shard that serves its channel. Of our
 * own instead of the cluster client of ioredis, which does not tell when it has subscribed anew.
 */
import type { Redis } from 'ioredis'
import { parseOwners } from './cluster-slots.ts'
import {
  ANSWER_TIMEOUT_MS,
  type ConnectionOptions,
  channelOf,
  connectionOptions,
  type LinkListener,
  type LinkOptions,
  openBriefly,
  openConnection,
  type RedisLink,
  reasonOf,
  reopen,
} from './redis-link.ts'
import type { Endpoint, RedisAddress } from './redis-url.ts'

/** Heartbeat intervals between looks at which node serves what; after a failure at each. */
const LOOK_TICKS = 5
const LOOK_PATIENCE_MS = 1_000

/** One node of the cluster, and what it serves of our channels. */
interface Shard {
  readonly connection: Redis
  channels: readonly string[]
  subscribed: boolean
}

type ClusterAddress = Extract<RedisAddress, { kind: 'cluster' }>

/** Throws AppError `setup_failed`. */
export function createClusterLink(options: LinkOptions<ClusterAddress>): RedisLink {
  const { address, node, channels } = options
  const channel = channelOf(node, channels)
  const connection = connectionOptions(address, node, options.ca)
  const shards = new Map<string, Shard>()
  let publisher: { readonly connection: Redis; readonly key: string } | undefined
  let owners: ReadonlyMap<string, Endpoint> = new Map()
  let listener: LinkListener | undefined
  let looking = false
  let stale = false
  let stopped = false
  let ticks = 0

  const subscribed = () =>
    shards.size > 0 && owners.size === channels.length && [...shards.values()].every(shard => shard.subscribed)

  const look = async () => {
    if (looking || stopped) return
    looking = true
    stale = false
    const known = [...new Map([...owners.values(), ...address.hosts].map(node => [keyOf(node), node])).values()]
    const reasons = new Set<string>()
    let found: ReadonlyMap<string, Endpoint> | undefined
    for (const asked of known) {
      found = await askOwners(asked, connection, channels).catch(err => void reasons.add(reasonOf(err)))
      if (found !== undefined || stopped) break
    }
    looking = false
    if (stopped) return
    if (found !== undefined) return arrange(found)
    stale = true
    listener?.failed([...reasons].join('; '))
  }

  /** Has one connection to each node that serves a channel of ours, and none to others. */
  const arrange = (found: ReadonlyMap<string, Endpoint>) => {
    owners = found
    if (owners.size < channels.length) {
      stale = true
      listener?.failed('the cluster has channels that no node of it serves')
    }
    const own = owners.get(channel)
    if (own !== undefined && publisher?.key !== keyOf(own)) publishBy(own)
    const served = Map.groupBy(owners, ([, endpoint]) => keyOf(endpoint))
    for (const [key, shard] of shards)
      if (!served.has(key)) {
        shards.delete(key)
        shard.connection.disconnect()
      }
    for (const [key, entries] of served) {
      const names = entries.map(([name]) => name)
      const shard = shards.get(key)
      if (shard === undefined) listenTo(key, entries[0]?.[1], names)
      else if (names.some(name => !shard.channels.includes(name))) {
        shard.channels = names
        shard.subscribed = false
        void subscribe(shard)
      } else shard.channels = names
    }
  }

  const publishBy = (endpoint: Endpoint) => {
    publisher?.connection.disconnect()
    if (publisher !== undefined) listener?.closed()
    const opened = openConnection({ ...connection, ...endpoint, socketTimeout: ANSWER_TIMEOUT_MS })
    const current = () => publisher?.connection === opened && !stopped
    opened.on('error', err => current() && listener?.failed(reasonOf(err)))
    opened.on('ready', () => current() && listener?.opened())
    opened.on('close', () => {
      if (!current()) return
      stale = true
      listener?.closed()
      listener?.failed('the connection was closed')
    })
    publisher = { connection: opened, key: keyOf(endpoint) }
  }

  const listenTo = (key: string, endpoint: Endpoint | undefined, names: readonly string[]) => {
    const opened = openConnection({
      ...connection,
      ...endpoint,
      connectionName: `${connection.connectionName}:subscriber`,
      socketTimeout: ANSWER_TIMEOUT_MS,
    })
    const shard: Shard = { connection: opened, channels: names, subscribed: false }
    const current = () => shards.get(key) === shard && !stopped
    opened.on('error', err => current() && listener?.failed(reasonOf(err)))
    opened.on('ready', () => current() && void subscribe(shard))
    // A slot has moved to another node.
    opened.on('moved', () => {
      stale = true
      shard.subscribed = false
    })
    opened.on('smessageBuffer', (_channel: Buffer, payload: Buffer) => current() && listener?.payload(payload))
    opened.on('close', () => {
      if (!current()) return
      stale = true
      shard.subscribed = false
      listener?.failed('the connection was closed')
    })
    shards.set(key, shard)
  }

  /** Also asks again for what is held: it shows that the node is there and still serves the channels. */
  const subscribe = async (shard: Shard) => {
    const { channels: wanted } = shard
    try {
      // One by one, for each lies in a slot of its own.
      await Promise.all(wanted.map(name => shard.connection.ssubscribe(name)))
    } catch (err) {
      stale = true
      shard.subscribed = false
      return listener?.failed(reasonOf(err))
    }
    if (stopped || wanted !== shard.channels || shard.subscribed) return
    shard.subscribed = true
    if (subscribed()) listener?.subscribed()
  }

  return {
    name: `cluster of ${address.hosts.map(keyOf).join(', ')}`,
    get subscribed() {
      return subscribed()
    },
    get open() {
      return publisher?.connection.status === 'ready'
    },
    start(to) {
      listener = to
      void look()
    },
    async publish(payload) {
      if (publisher === undefined) throw new Error('no node of the cluster serves the channel')
      try {
        return await publisher.connection.spublish(channel, payload)
      } catch (err) {
        stale = true
        throw err
      }
    },
    tick() {
      ticks++
      for (const shard of shards.values()) if (shard.connection.status === 'ready') void subscribe(shard)
      if (stale || ticks % LOOK_TICKS === 0) void look()
    },
    renew() {
      const own = owners.get(channel)
      if (own !== undefined) reopen(shards.get(keyOf(own))?.connection)
    },
    quit: async () => publisher?.connection.quit(),
    stop() {
      stopped = true
      publisher?.connection.disconnect()
      for (const shard of shards.values()) shard.connection.disconnect()
      shards.clear()
    },
  }
}

async function askOwners(
  node: Endpoint,
  options: ConnectionOptions,
  channels: readonly string[],
): Promise<ReadonlyMap<string, Endpoint>> {
  const asked = await openBriefly({ ...options, ...node }, LOOK_PATIENCE_MS)
  try {
    return parseOwners(await asked.call('CLUSTER', 'SLOTS'), channels, node)
  } finally {
    asked.disconnect()
  }
}

function keyOf({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
