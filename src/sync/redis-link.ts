/** The two connections of a node to Redis: one that publishes, one that listens. They reconnect for ever. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Redis, type RedisOptions } from 'ioredis'
import { AppError } from '../core/errors.ts'
import { GuardedConnector } from './redis-connector.ts'
import type { RedisAddress } from './redis-url.ts'

const SHARDS = 16
const CONNECT_TIMEOUT_MS = 5_000
/** A peer that does not close its side is cut off after this. */
const DISCONNECT_TIMEOUT_MS = 500
/** A publisher that gets no answer for so long has a dead peer. */
const ANSWER_TIMEOUT_MS = 5_000
const MAX_RETRY_MS = 2_000

/** Channels all nodes of one log listen to. Pub/sub ignores the database index, and one Redis may serve several logs. */
export function frameChannels(namespace: string, db: number): readonly string[] {
  const log = createHash('sha256').update(namespace).digest('hex').slice(0, 16)
  return Array.from({ length: SHARDS }, (_, shard) => `rootstream:${db}.${log}:frames:${shard}`)
}

/** All frames of a node take one channel, which keeps their order whatever is between the nodes. */
export function channelOf(node: string, channels: readonly string[]): string {
  const shard = createHash('sha256').update(node).digest().readUInt32BE(0) % channels.length
  return channels[shard] ?? ''
}

type LinkOptions = RedisOptions & { readonly replyMapping: 'legacy' }

/** Throws AppError `setup_failed` where the file with the authority cannot be read. */
export function connectionOptions(address: RedisAddress, node: string, ca: string | undefined): LinkOptions {
  return {
    host: address.host,
    port: address.port,
    ...(address.username !== undefined && { username: address.username }),
    ...(address.password !== undefined && { password: address.password }),
    ...(address.tls && { tls: ca === undefined ? {} : { ca: readCa(ca) } }),
    connectionName: `rootstream:${node.replaceAll(/[^\x21-\x7e]/g, '_')}`,
    Connector: GuardedConnector,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RETRY_MS) * (0.75 + Math.random() / 2),
    // Waiting, bounds and order are the outbox's: nothing is queued twice, nor sent again behind its back. Zero
    // retries is also what settles commands that were under way (ioredis 6.0 forgets them otherwise).
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // The bus subscribes by itself, because it must know when Redis has acknowledged it.
    autoResubscribe: false,
    // Pub/sub works while Redis loads its data, and INFO needs a right that a lean account lacks.
    enableReadyCheck: false,
    disableClientInfo: true,
    replyMapping: 'legacy',
  }
}

export function openPublisher(options: LinkOptions): Redis {
  return new Redis({ ...options, socketTimeout: ANSWER_TIMEOUT_MS })
}

export function openSubscriber(options: LinkOptions): Redis {
  return new Redis({ ...options, connectionName: `${options.connectionName}:subscriber` })
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AppError(
      'setup_failed',
      `The certificate authority for Redis, ${file}, could not be read. Nothing was started.`,
      { cause },
    )
  }
}
