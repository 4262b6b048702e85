/** How a node reaches the others over Redis: one way to publish, one to listen, both of which reconnect for ever. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Redis, type RedisOptions } from 'ioredis'
import { AppError } from '../core/errors.ts'
import { GuardedConnector } from './redis-connector.ts'
import type { EndpointAccess, RedisAddress } from './redis-url.ts'

const SHARDS = 16
const CONNECT_TIMEOUT_MS = 5_000
/** A peer that does not close its side is cut off after this. */
const DISCONNECT_TIMEOUT_MS = 500
/** A connection that gets no answer for so long has a dead peer. */
export const ANSWER_TIMEOUT_MS = 5_000
const MAX_RETRY_MS = 2_000

/** What a link tells. */
export interface LinkListener {
  /** Frames can be published: at the start and after each reconnection. */
  opened(): void
  /** What is under way may be lost. */
  closed(): void
  /** Redis has taken the subscription to all channels, for the first time or anew: what was said before was not heard. */
  subscribed(): void
  /** An attempt failed, or a connection was lost. */
  failed(reason: string): void
  payload(payload: Buffer): void
}

export interface RedisLink {
  /** For log lines. */
  readonly name: string
  readonly subscribed: boolean
  /** Whether `publish` has a connection to go by. */
  readonly open: boolean
  start(listener: LinkListener): void
  publish(payload: string): Promise<unknown>
  /** What somebody should see to; one sentence each. */
  warnings(): readonly string[]
  /** A heartbeat interval has passed. */
  tick(): void
  /** Nothing comes back of what is published: the two connections are not to be trusted. */
  renew(): void
  /** Tells Redis that no more follows; resolves when everything published was answered. */
  quit(): Promise<unknown>
  /** Drops all connections. */
  stop(): void
}

export interface LinkOptions<Address = RedisAddress> {
  readonly address: Address
  readonly node: string
  readonly channels: readonly string[]
  /** PEM file. */
  readonly ca: string | undefined
}

/** Channels all nodes of one log listen to. Pub/sub ignores the database index, and one Redis may serve several logs. */
export function frameChannels(namespace: string, db: number): readonly string[] {
  const log = createHash('sha256').update(namespace).digest('hex').slice(0, 16)
  return Array.from({ length: SHARDS }, (_, shard) => `rootstream:${db}.${log}:frames:${shard}`)
}

/** All frames of a node take one channel for as long as it is served, which keeps their order whatever is between the nodes. */
export function channelOf(node: string, channels: readonly string[]): string {
  const shard = createHash('sha256').update(node).digest().readUInt32BE(0) % channels.length
  return channels[shard] ?? ''
}

export type ConnectionOptions = RedisOptions & { readonly replyMapping: 'legacy' }

/** Of every connection to a server or sentinel. Throws AppError `setup_failed` where the file with the authority cannot be read. */
export function connectionOptions(access: EndpointAccess, node: string, ca: string | undefined): ConnectionOptions {
  return {
    ...(access.username !== undefined && { username: access.username }),
    ...(access.password !== undefined && { password: access.password }),
    ...(access.tls && { tls: ca === undefined ? {} : { ca: readCa(ca) } }),
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
    // The link subscribes by itself, because it must know when Redis has acknowledged it.
    autoResubscribe: false,
    // Pub/sub works while Redis loads its data, and INFO needs a right that a lean account lacks.
    enableReadyCheck: false,
    disableClientInfo: true,
    replyMapping: 'legacy',
  }
}

/** Opens a connection that reconnects for ever. Its failures arrive as error events. */
export function openConnection(options: ConnectionOptions): Redis {
  const connection = new Redis(options)
  connection.connect().catch(() => {})
  return connection
}

/** Gives up a connection for a new one. One that is being made is left alone: ioredis would not make it again. */
export function reopen(connection: Redis | undefined): void {
  if (connection?.status === 'ready') connection.disconnect(true)
}

/** Opens a connection for one question. Rejects where it takes longer, as does what is asked. */
export async function openBriefly(options: ConnectionOptions, patienceMs: number): Promise<Redis> {
  const connection = new Redis({
    ...options,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    retryStrategy: null,
  })
  // The rejection only says that the connection was closed.
  let reason: unknown
  connection.on('error', err => {
    reason ??= err
  })
  await connection.connect().catch(err => {
    throw reason ?? err
  })
  return connection
}

// Of an authentication error ioredis keeps the command too, password and all: only the message may go on.
export function reasonOf(err: unknown): string {
  return err instanceof Error ? err.message || ((err as NodeJS.ErrnoException).code ?? err.name) : 'unknown'
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
