/** Opens the parts of a node that depend on its options: the log, the key ring, the journal, the tracer, the bridge to readers of 24.2. */
import { generateKeySync, type KeyObject } from 'node:crypto'
import path from 'node:path'
import type { ActorSystem } from './actors/api.ts'
import type { KeySource } from './auth/key-source.ts'
import { formatKey, newKey } from './auth/key-text.ts'
import { type NamingKeyStore, type OpenedKeyRing, openKeyRing } from './auth/open-key-ring.ts'
import { AppError } from './core/errors.ts'
import { actorRef } from './core/ids.ts'
import type { EventStore, Logger, SealedLog } from './core/ports.ts'
import type { Register } from './core/register.ts'
import type { Tracer } from './core/tracing.ts'
import { startPostgres } from './embedded/postgres.ts'
import { readFrameKey } from './eventstore/frame-key.ts'
import { createMemoryEventStore, createMemoryLog } from './eventstore/memory-event-store.ts'
import { createMemorySealedLog } from './eventstore/memory-sealed-log.ts'
import { migrate } from './eventstore/migrate.ts'
import { createPgNamingKey } from './eventstore/naming-key.ts'
import { createPgEventStore } from './eventstore/pg-event-store.ts'
import { createPgSealedLog } from './eventstore/sealed-log.ts'
import { type Journal, openJournal } from './journal/journal.ts'
import type { NodeOptions } from './node-options.ts'
import { createMemoryProjections } from './projections/memory-projections.ts'
import { createProjections, type Projections } from './projections/projections.ts'
import { createSealedSecrets, NO_SECRETS, type SealedSecrets } from './projections/sealed-secrets.ts'
import { createLegacyBridge, type LegacyBridge } from './sync/legacy-bridge.ts'
import { legacyAddress, openLegacyKeys } from './sync/legacy-keys.ts'

const READ_PATIENCE_MS = 5_000

/** What has to be closed again, in reverse. */
export type Opened = { close(): Promise<void> }[]

type BridgeOptions = Pick<NodeOptions, 'redis' | 'redisCa'> &
  Required<Pick<NodeOptions, 'name' | 'clock' | 'log'>> & {
    readonly actors: ActorSystem
    readonly projections: Projections
  } & Pick<OpenLog, 'store' | 'installation'>

export function createBridge(options: BridgeOptions): LegacyBridge {
  const { redis, redisCa, name, clock, log, installation, store, actors, projections } = options
  if (redis === undefined)
    throw new AppError(
      'invalid_input',
      'The keys of RootStream 24.2 are kept in Redis, and none is configured. Nothing was started. Set REDIS_URL, or leave ROOTSTREAM_LEGACY_REDIS out.',
    )
  legacyAddress(redis)
  const ca = redisCa === undefined ? {} : { ca: redisCa }
  return createLegacyBridge({
    store,
    clock,
    log,
    openKeys: onClosed => openLegacyKeys({ url: redis, ...ca, node: name, namespace: installation, onClosed }),
    withLease: (lease, ttlMs, work) => actors.withLease(lease, ttlMs, work),
    liveIds: async position => {
      await projections.caughtUp(position)
      return projections.find('streams', 'is_live', true)
    },
    streamState: id => actors.actor(actorRef('stream', id)).state({ logged: true }),
  })
}

export async function openOwnJournal(
  { home, database, memory, journalBytes, log }: NodeOptions & { readonly log: Logger },
  opened: Opened,
): Promise<Journal | undefined> {
  if (memory === true || (database !== undefined && home === undefined)) return undefined
  const journal = await openJournal({
    dir: path.join(path.resolve(home ?? '.rootstream'), 'journal'),
    log,
    ...(journalBytes === undefined ? {} : { maxBytes: journalBytes }),
  })
  opened.push(journal)
  return journal
}

/** Its modules and packages are loaded only here, where tracing is on. Stops last, when the last span has ended. */
export async function openTracer(
  options: NodeOptions & Required<Pick<NodeOptions, 'clock' | 'name' | 'log'>>,
  opened: Opened,
): Promise<Tracer | undefined> {
  const { tracing, clock, name, log } = options
  let provider = options.tracerProvider
  if (provider === undefined && tracing !== undefined) {
    const { createOtlp } = await import('./tracing/otlp.ts')
    const otlp = createOtlp({ ...tracing, node: name, clock, log })
    opened.push({ close: () => otlp.stop() })
    provider = otlp.provider
  }
  if (provider === undefined) return undefined
  const { createOtelTracer } = await import('./tracing/otel-tracer.ts')
  return createOtelTracer({ provider, log, messaging: options.redis === undefined ? undefined : 'redis' })
}

/** Where there is no other, the ring lies in the home. Throws AppError `setup_failed`. */
export function openKeys(
  { keys, home, memory, clock, log }: NodeOptions & Required<Pick<NodeOptions, 'clock' | 'log'>>,
  store: NamingKeyStore,
): Promise<OpenedKeyRing> {
  const own: KeySource =
    memory === true
      ? { kind: 'text', text: formatKey(newKey(clock.now())) }
      : { kind: 'own_file', file: path.join(path.resolve(home ?? '.rootstream'), 'keys') }
  return openKeyRing({ source: keys ?? own, store, clock, log })
}

export interface OpenLog {
  readonly store: EventStore
  readonly sealedLog: SealedLog
  readonly incarnation: number
  readonly register: Register
  readonly projections: Projections
  /** Names the log, so that runtimes on different ones do not hear each other on a shared Redis. */
  readonly installation: string
  readonly namingKey: NamingKeyStore
  readonly sealedSecrets: SealedSecrets
  /** Asked for only where frames leave the process. */
  readonly frameKey: () => Promise<KeyObject>
}

type OpenOptions = NodeOptions &
  Required<Pick<NodeOptions, 'clock' | 'entities' | 'name' | 'log'>> & { readonly tracer: Tracer | undefined }

export async function openLog(options: OpenOptions, opened: Opened): Promise<OpenLog> {
  const { clock, entities, name, log, tracer } = options
  if (options.memory) {
    const memory = createMemoryLog()
    const store = createMemoryEventStore({ node: name, clock, log: memory })
    return {
      store,
      sealedLog: createMemorySealedLog(memory),
      incarnation: store.incarnation,
      register: store.register,
      projections: createMemoryProjections({ store, entities }),
      installation: store.installation,
      namingKey: { read: async () => undefined, claim: async sealed => sealed, replace: async () => {} },
      sealedSecrets: NO_SECRETS,
      // A log in memory is no other node's, so nobody shares its key.
      frameKey: async () => generateKeySync('hmac', { length: 256 }),
    }
  }
  let url = options.database
  if (url === undefined) {
    const home = path.resolve(options.home ?? '.rootstream')
    const postgres = await startPostgres({ dataDir: path.join(home, 'postgres'), log })
    opened.push({ close: () => postgres.stop() })
    url = postgres.url
  }
  const { applied } = await migrate({ url, log })
  if (applied.length > 0) log.info({ applied }, 'migrations applied')
  const store = await createPgEventStore({
    url,
    node: name,
    clock,
    log,
    tracer,
    readPatienceMs: options.readPatienceMs ?? READ_PATIENCE_MS,
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  })
  opened.push({ close: () => store.close() })
  const projections = createProjections({ store, pool: store.pool, entities, clock, log, tracer })
  const { incarnation, installation, register } = store
  return {
    store,
    sealedLog: createPgSealedLog(store.pool),
    incarnation,
    register,
    projections,
    installation,
    namingKey: createPgNamingKey(store.pool),
    sealedSecrets: createSealedSecrets(store.pool),
    frameKey: () => readFrameKey(store.pool),
  }
}
