/** The link over one server: a given one, or the master that sentinels name. */
import type { Redis } from 'ioredis'
import type { Clock } from '../core/ports.ts'
import {
  ANSWER_TIMEOUT_MS,
  channelOf,
  type LinkListener,
  type LinkOptions,
  openConnection,
  type RedisLink,
  reasonOf,
  reopen,
} from './redis-link.ts'
import { createMasterRoutes, type ServerAddress } from './redis-master.ts'

const RESUBSCRIBE_MS = 5_000

/** Throws AppError `setup_failed`. */
export function createServerLink(options: LinkOptions<ServerAddress> & { readonly clock: Clock }): RedisLink {
  const { address, node, channels, clock } = options
  const routes = createMasterRoutes(options)
  const channel = channelOf(node, channels)
  let publisher: Redis | undefined
  let subscriber: Redis | undefined
  let subscribed = false
  let stopped = false
  let cancelResubscribe = () => {}
  let unwatch = () => {}
  const located = {
    publisher: routes.route(() => reopen(publisher)),
    subscriber: routes.route(() => reopen(subscriber)),
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
      const publishing = openConnection({ ...located.publisher, socketTimeout: ANSWER_TIMEOUT_MS })
      publishing.on('error', err => listener.failed(reasonOf(err)))
      publishing.on('ready', () => listener.opened())
      publishing.on('close', () => {
        listener.closed()
        listener.failed('the connection was closed')
      })
      const { connectionName } = located.subscriber
      const listening = openConnection({ ...located.subscriber, connectionName: `${connectionName}:subscriber` })
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
      unwatch = routes.watch(clock)
    },
    publish: payload => publisher?.publish(channel, payload) ?? Promise.reject(new Error('not started')),
    tick() {},
    warnings: () => [],
    renew() {
      // Either may have been left on a server that is no longer the one of the address.
      reopen(publisher)
      reopen(subscriber)
    },
    quit: async () => publisher?.quit(),
    stop() {
      stopped = true
      unwatch()
      cancelResubscribe()
      publisher?.disconnect()
      subscriber?.disconnect()
      subscribed = false
    },
  }
}
