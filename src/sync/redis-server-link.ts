/** The link over one server: a given one, or the master that sentinels name. */
import type { Redis } from 'ioredis'
import type { Clock } from '../core/ports.ts'
import { createLocatingConnector } from './redis-connector.ts'
import {
  ANSWER_TIMEOUT_MS,
  type ConnectionOptions,
  channelOf,
  connectionOptions,
  type LinkListener,
  type LinkOptions,
  openConnection,
  type RedisLink,
  reasonOf,
  reopen,
} from './redis-link.ts'
import { findMaster } from './redis-sentinels.ts'
import type { Endpoint, RedisAddress } from './redis-url.ts'

const RESUBSCRIBE_MS = 5_000
/** Heartbeat intervals between questions to the sentinels: a master that was cut off does not close its connections. */
const ASK_SENTINELS_TICKS = 3

type SentinelAddress = Extract<RedisAddress, { kind: 'sentinel' }>
export type ServerAddress = Extract<RedisAddress, { kind: 'server' }> | SentinelAddress

type Dialled = Pick<LinkOptions<ServerAddress>, 'address' | 'node' | 'ca'>

/**
 * Options of a connection that goes to the server, or to the one that sentinels name at each attempt.
 * @param onFound told what they named
 * Throws AppError `setup_failed`.
 */
export function toMaster(options: Dialled, onFound: (master: Endpoint) => void = () => {}): ConnectionOptions {
  const { address, node, ca } = options
  const connection = connectionOptions(address, node, ca)
  if (address.kind === 'server') return { ...connection, ...address.hosts[0] }
  const ask = asker(address, options)
  const locate = async () => {
    const master = await ask()
    onFound(master)
    return master
  }
  return { ...connection, Connector: createLocatingConnector(locate) }
}

function asker({ hosts, master, sentinels }: SentinelAddress, { node, ca }: Dialled): () => Promise<Endpoint> {
  const connection = connectionOptions(sentinels, node, ca)
  return () => findMaster(hosts, master, connection)
}

/** Throws AppError `setup_failed`. */
export function createServerLink(options: LinkOptions<ServerAddress> & { readonly clock: Clock }): RedisLink {
  const { address, node, channels, clock } = options
  const channel = channelOf(node, channels)
  let publisher: Redis | undefined
  let subscriber: Redis | undefined
  let subscribed = false
  let stopped = false
  let ticks = 0
  let cancelResubscribe = () => {}
  /** Where the connections go to now; changes only where sentinels are asked. */
  let server: Endpoint | undefined

  const located = toMaster(options, found => {
    server = found
  })
  const ask = address.kind === 'sentinel' ? asker(address, options) : undefined
  /** Follows a failover that broke no connection. */
  const follow = async () => {
    if (ask === undefined || server === undefined) return
    const before = server
    const now = await ask().catch(() => before)
    if (stopped || before !== server || (now.host === before.host && now.port === before.port)) return
    server = now
    reopen(publisher)
    reopen(subscriber)
  }

  const subscribe = async (connected: Redis, listener: LinkListener) => {
    try {
      await connected.subscribe(...channels)
    } catch (err) {
      // Refused while connected (a right is missing, say): ask again, it may be granted.
      if (connected.status === 'ready')
        cancelResubscribe = clock.after(RESUBSCRIBE_MS, () => void subscribe(connected, listener))
      return listener.failed(reasonOf(err))
    }
    if (stopped) return
    subscribed = true
    listener.subscribed()
  }

  return {
    name:
      address.kind === 'server'
        ? `${address.hosts[0].host}:${address.hosts[0].port}/${address.db}`
        : `${address.master}/${address.db}`,
    get subscribed() {
      return subscribed
    },
    get open() {
      return publisher?.status === 'ready'
    },
    start(listener) {
      const publishing = openConnection({ ...located, socketTimeout: ANSWER_TIMEOUT_MS })
      publishing.on('error', err => listener.failed(reasonOf(err)))
      publishing.on('ready', () => listener.opened())
      publishing.on('close', () => {
        listener.closed()
        listener.failed('the connection was closed')
      })
      const listening = openConnection({ ...located, connectionName: `${located.connectionName}:subscriber` })
      listening.on('error', err => listener.failed(reasonOf(err)))
      listening.on('ready', () => void subscribe(listening, listener))
      listening.on('messageBuffer', (_channel: Buffer, payload: Buffer) => listener.payload(payload))
      listening.on('close', () => {
        subscribed = false
        cancelResubscribe()
        listener.failed('the connection was closed')
      })
      publisher = publishing
      subscriber = listening
    },
    publish: payload => publisher?.publish(channel, payload) ?? Promise.reject(new Error('not started')),
    tick() {
      ticks++
      if (ticks % ASK_SENTINELS_TICKS === 0) void follow()
    },
    warnings: () => [],
    renew: () => reopen(subscriber),
    quit: async () => publisher?.quit(),
    stop() {
      stopped = true
      cancelResubscribe()
      publisher?.disconnect()
      subscriber?.disconnect()
      subscribed = false
    },
  }
}
