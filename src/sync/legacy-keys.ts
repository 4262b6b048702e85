/** The Redis keys and channels of RootStream 24.2, written under a mark that tells who wrote them last and how far. */
import { createHash } from 'node:crypto'
import { type ChainableCommander, Redis } from 'ioredis'
import { AppError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { ANSWER_TIMEOUT_MS } from './redis-link.ts'
import { createMasterRoutes, type ServerAddress } from './redis-master.ts'
import { parseRedisUrl } from './redis-url.ts'

/** As 24.2 set them. */
const LIVE_TTL_S = 3_600
const VIEWERS_TTL_S = 300
/** Renewed with every write. One that nobody renews fences nobody for ever: a log that was restored counts its tokens anew. */
const MARK_TTL_S = 300
const SCAN_COUNT = 1_000
const LIVE_KEY = /^stream:([1-9]\d{0,9}):live$/

export type LegacyChange =
  | { readonly kind: 'started' | 'live'; readonly id: number; readonly viewers: number }
  | { readonly kind: 'ended'; readonly id: number }

/** Its holder may write: every write carries the token, and one with a lower token than the last is refused. */
export interface LegacyKeys {
  connect(): Promise<void>
  /** Takes the mark over. Answers the position it had, undefined where Redis has none. Throws where a later holder has it. */
  claim(token: number): Promise<number | undefined>
  /** Ids that have a `live` key. */
  liveIds(): Promise<ReadonlySet<number>>
  /** All of it and the mark at once, or nothing. Throws where a later holder has the mark, or Redis has lost it. */
  write(changes: readonly LegacyChange[], mark: { readonly token: number; readonly position: number }): Promise<void>
  /** Also breaks off what is under way. */
  close(): void
}

export interface LegacyKeysOptions {
  /** See `parseRedisUrl`. The keys lie in its database. */
  readonly url: string
  readonly ca?: string
  readonly node: string
  /** What identifies the log. It is hashed. */
  readonly namespace: string
  readonly clock: Clock
  /** The connection is gone; it does not come back. */
  readonly onClosed: () => void
}

/** Throws AppError `invalid_input` on what is no address, and on that of a cluster: the keys of a stream share no slot. */
export function legacyAddress(url: string): ServerAddress {
  const address = parseRedisUrl(url)
  if (address.kind !== 'cluster') return address
  throw new AppError(
    'invalid_input',
    'The keys of RootStream 24.2 lie on one server, and REDIS_URL names a cluster. Nothing was started. Name a server, or leave ROOTSTREAM_LEGACY_REDIS out.',
  )
}

/** One connection for one attempt. Throws AppError `invalid_input` (URL, or that of a cluster) or `setup_failed` (ca). */
export function openLegacyKeys(options: LegacyKeysOptions): LegacyKeys {
  const address = legacyAddress(options.url)
  const routes = createMasterRoutes({ address, node: options.node, ca: options.ca })
  const link = routes.route(() => redis.disconnect())
  const unwatch = routes.watch(options.clock)
  const redis: Redis = new Redis({
    ...link,
    socketTimeout: ANSWER_TIMEOUT_MS,
    db: address.db,
    connectionName: `${link.connectionName}:legacy`,
    retryStrategy: () => null,
  })
  const markKey = `rootstream:legacy-bridge:${createHash('sha256').update(options.namespace).digest('hex').slice(0, 16)}`
  // Told by the command that fails, and by the end of the connection.
  redis.on('error', () => {})
  redis.on('end', () => {
    unwatch()
    options.onClosed()
  })

  /** Runs the commands unless the mark is another holder's, or becomes so before they run. */
  const transact = async (token: number, claims: boolean, add: (multi: ChainableCommander) => void) => {
    await redis.watch(markKey)
    const [held, position] = await redis.hmget(markKey, 'token', 'position')
    if (typeof held !== 'string' && !claims) throw new Error('Redis has lost the keys of 24.2')
    if (Number(held ?? 0) > token) throw new Error('another node has taken over the keys of 24.2')
    const multi = redis.multi().hset(markKey, 'token', token)
    add(multi)
    multi.expire(markKey, MARK_TTL_S)
    const results = await multi.exec()
    if (results === null) throw new Error('another node is taking over the keys of 24.2')
    for (const [error] of results) if (error !== null) throw error
    return position ?? null
  }

  return {
    connect: () => redis.connect(),
    async claim(token) {
      const position = await transact(token, true, () => {})
      return position === null ? undefined : Number(position)
    },
    async liveIds() {
      const ids = new Set<number>()
      let cursor = '0'
      do {
        const [next, keys] = await redis.scan(cursor, 'MATCH', 'stream:*:live', 'COUNT', SCAN_COUNT)
        for (const key of keys) {
          const id = LIVE_KEY.exec(key)?.[1]
          if (id !== undefined) ids.add(Number(id))
        }
        cursor = next
      } while (cursor !== '0')
      return ids
    },
    async write(changes, { token, position }) {
      await transact(token, false, multi => {
        for (const change of changes) addChange(multi, change)
        multi.hset(markKey, 'position', position)
      })
    },
    close() {
      unwatch()
      redis.disconnect()
    },
  }
}

function addChange(multi: ChainableCommander, change: LegacyChange): void {
  const key = `stream:${change.id}`
  if (change.kind === 'ended') {
    multi.del(`${key}:live`, `${key}:viewers`).publish(`${key}:events`, 'ended')
    return
  }
  multi.set(`${key}:live`, '1', 'EX', LIVE_TTL_S).set(`${key}:viewers`, String(change.viewers), 'EX', VIEWERS_TTL_S)
  if (change.kind === 'started') multi.publish(`${key}:events`, 'started')
}
