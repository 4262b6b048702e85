/**
 * The link over a Redis Cluster, by sharded pub/sub: a frame goes only through the shard that serves its channel. Of our
 * own instead of the cluster client of ioredis, which does not tell when it has subscribed anew.
 */
import type { Redis } from 'ioredis'
import { type Owner, parseFailed, parseOwners } from './cluster-slots.ts'
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

/** Who serves which channel, and the names of the nodes that the cluster has given up. */
interface Layout {
  readonly owners: ReadonlyMap<string, Owner>
  readonly failed: ReadonlySet<string>
}

/** One node of the cluster, and what it serves of our channels. */
interface Shard {
  readonly id: string
  readonly connection: Redis
  channels: readonly string[]
  subscribed: boolean
}

type ClusterAddress = Extract<RedisAddress, { kind: 'cluster' }>

/** Throws AppError `setup_failed`. */
export function createClusterLink(options: LinkOptions<ClusterAddress>): RedisLink {
  const { address, node, channels } = options
  /** The channel of this node's frames. Where its part of the cluster has failed it is another, and stays that. */
  let home = channelOf(node, channels)
  const connection = connectionOptions(address, node, options.ca)
  const shards = new Map<string, Shard>()
  let publisher: { readonly connection: Redis; readonly key: string } | undefined
  let { owners, failed }: Layout = { owners: new Map(), failed: new Set() }
  let listener: LinkListener | undefined
  let looking = false
  let stale = false
  let stopped = false
  let ticks = 0

  // What the cluster itself has given up carries nobody's frames. What only this node cannot reach may well do.
  const serves = (owner: Owner | undefined) => owner !== undefined && !failed.has(owner.id)
  const subscribed = () => {
    const listening = [...shards.values()].filter(({ id }) => !failed.has(id))
    return listening.length > 0 && owners.size === channels.length && listening.every(shard => shard.subscribed)
  }

  const look = async () => {
    if (looking || stopped) return
    looking = true
    stale = false
    const known = [...new Map([...owners.values(), ...address.hosts].map(node => [keyOf(node), node])).values()]
    const reasons = new Set<string>()
    let found: Layout | undefined
    for (const asked of known) {
      found = await askLayout(asked, connection, channels).catch(err => void reasons.add(reasonOf(err)))
      if (found !== undefined || stopped) break
    }
    looking = false
    if (stopped) return
    if (found !== undefined) return arrange(found)
    stale = true
    listener?.failed([...reasons].join('; '))
  }

  /** Has one connection to each node that serves a channel of ours, and none to others. */
  const arrange = (found: Layout) => {
    const before = subscribed()
    owners = found.owners
    failed = found.failed
    home = [...channels.slice(channels.indexOf(home)), ...channels].find(name => serves(owners.get(name))) ?? home
    if (owners.size < channels.length) {
      stale = true
      listener?.failed('the cluster has channels that no node of it serves')
    }
    const own = owners.get(home)
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
      const [first] = entries
      if (shard === undefined && first !== undefined) listenTo(key, first[1], names)
      else if (shard === undefined) continue
      else if (names.some(name => !shard.channels.includes(name))) {
        shard.channels = names
        shard.subscribed = false
        void subscribe(shard)
      } else shard.channels = names
    }
    // A part was given up: what went through it last is lost.
    if (!before && subscribed()) listener?.subscribed()
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
      listener?.failed(`the connection to ${keyOf(endpoint)} was closed`)
    })
    publisher = { connection: opened, key: keyOf(endpoint) }
  }

  const listenTo = (key: string, endpoint: Owner, names: readonly string[]) => {
    const opened = openConnection({
      ...connection,
      ...endpoint,
      connectionName: `${connection.connectionName}:subscriber`,
      socketTimeout: ANSWER_TIMEOUT_MS,
    })
    const shard: Shard = { id: endpoint.id, connection: opened, channels: names, subscribed: false }
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
      listener?.failed(`the connection to ${key} was closed`)
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
        return await publisher.connection.spublish(home, payload)
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
      const own = owners.get(home)
      if (own !== undefined) reopen(shards.get(keyOf(own))?.connection)
      reopen(publisher?.connection)
    },
    warnings: () =>
      [...shards]
        .filter(([, shard]) => !shard.subscribed)
        .map(([key, { id }]) => (failed.has(id) ? failedWarning(key) : silentWarning(key))),
    quit: async () => publisher?.connection.quit(),
    stop() {
      stopped = true
      publisher?.connection.disconnect()
      for (const shard of shards.values()) shard.connection.disconnect()
      shards.clear()
    },
  }
}

async function askLayout(node: Endpoint, options: ConnectionOptions, channels: readonly string[]): Promise<Layout> {
  const asked = await openBriefly({ ...options, ...node }, LOOK_PATIENCE_MS)
  try {
    const owners = parseOwners(await asked.call('CLUSTER', 'SLOTS'), channels, node)
    // An account may lack the right: then nothing counts as given up, and what is away makes the link unhealthy.
    const nodes = await asked.call('CLUSTER', 'NODES').catch(() => '')
    return { owners, failed: parseFailed(nodes) }
  } finally {
    asked.disconnect()
  }
}

function failedWarning(key: string): string {
  return `The node ${key} of the Redis Cluster has failed and no replica took its place. Frames take the ways over the others: bring it back.`
}

function silentWarning(key: string): string {
  return `The node ${key} of the Redis Cluster does not answer this node, and the cluster has not given it up. Until one of that changes, this node reads the log.`
}

function keyOf({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
