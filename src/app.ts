/** The composition root: puts the engines of a node together, starts them in order and stops them in reverse. */
import { generateKeySync, type KeyObject, randomUUID } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import type { ActorHandle, ActorSystem } from './actors/api.ts'
import type { CommandOptions } from './actors/command.ts'
import { createActorSystem } from './actors/system.ts'
import { type Auditor, createAuditor } from './audit/auditor.ts'
import { AppError } from './core/errors.ts'
import type { LogEvent } from './core/event.ts'
import { actorRef } from './core/ids.ts'
import type { Bus, Clock, EventStore, Logger, SealedLog, Service } from './core/ports.ts'
import type { CommandResult } from './core/result.ts'
import type { Tracer } from './core/tracing.ts'
import { startPostgres } from './embedded/postgres.ts'
import { readFrameKey } from './eventstore/frame-key.ts'
import { createMemoryEventStore, createMemoryLog } from './eventstore/memory-event-store.ts'
import { createMemorySealedLog } from './eventstore/memory-sealed-log.ts'
import { migrate } from './eventstore/migrate.ts'
import { createPgEventStore } from './eventstore/pg-event-store.ts'
import { createPgSealedLog } from './eventstore/sealed-log.ts'
import { type HealthReport, health } from './health.ts'
import { type Journal, openJournal } from './journal/journal.ts'
import type { LiveHandle, LiveState, LiveStats } from './live/api.ts'
import type { LiveChange } from './live/changes.ts'
import { createLiveState } from './live/live-state.ts'
import { createLogger } from './logging.ts'
import { conflict } from './machines/conflict/index.ts'
import type { EntityDefinition, OutgoingEvent } from './machines/define.ts'
import { entities as registry } from './machines/index.ts'
import { createMemoryProjections } from './projections/memory-projections.ts'
import { createProjections, type Projections } from './projections/projections.ts'
import { createSnapshotReader, type SnapshotReader } from './snapshots/read-snapshots.ts'
import { createFrameBatcher } from './sync/frame-batcher.ts'
import { createInProcessBus, type InProcessHub } from './sync/in-process-bus.ts'
import { createLegacyBridge, type LegacyBridge } from './sync/legacy-bridge.ts'
import { legacyAddress, openLegacyKeys } from './sync/legacy-keys.ts'
import { createTopics } from './sync/patterns.ts'
import { createRedisBus } from './sync/redis-bus.ts'
import { systemClock } from './system-clock.ts'
import type { TracerProvider, TracingOptions } from './tracing/tracing-options.ts'

export interface NodeOptions {
  /** `postgres://…`. Without it the node brings a Postgres of its own, with its data under `home`. */
  readonly database?: string
  /** `redis://…` or `rediss://…`. Without it events reach only the subscribers in this process. */
  readonly redis?: string
  /** Without Redis: where nodes of this process meet that are given the same one. */
  readonly hub?: InProcessHub
  /** PEM file of the authority that signed the Redis server's certificate. */
  readonly redisCa?: string
  /** Keeps the Redis keys and channels of RootStream 24.2 up to date for its readers; needs `redis`. */
  readonly legacyRedis?: boolean
  /**
   * Directory of this node alone: the embedded Postgres, default `.rootstream` in the working directory, and the journal.
   * With `database` and without this there is no journal, and nothing is taken while Postgres is away.
   */
  readonly home?: string
  /** How long a command waits for Postgres before it fails or is taken into the journal, default 10 s. */
  readonly patienceMs?: number
  /** Bytes the journal may take on disk, default 64 MiB; when it is full, commands fail as `overloaded`. */
  readonly journalBytes?: number
  /** Keeps everything in memory: for tests, gone when the process ends. */
  readonly memory?: boolean
  /** Shows in every event this node writes; default the host name. */
  readonly name?: string
  readonly entities?: readonly EntityDefinition[]
  readonly log?: Logger
  readonly clock?: Clock
  /** Spans are sent to a collector, by an SDK of the node's own. Without this and `tracerProvider` there are none, at no cost. */
  readonly tracing?: TracingOptions
  /** Spans go to the SDK of the embedding program, which flushes and stops it itself. */
  readonly tracerProvider?: TracerProvider
}

export interface RuntimeNode extends SnapshotReader {
  readonly name: string
  readonly incarnation: number
  readonly log: EventStore
  readonly actors: ActorSystem
  readonly projections: Projections
  readonly audit: Auditor
  /** Throws AppError `unknown_type`, `invalid_input`. */
  actor(type: string, id: number): ActorHandle
  /** Sends the first event of a new actor; its id is in the result. */
  create(type: string, event: OutgoingEvent, options?: CommandOptions): Promise<CommandResult>
  /**
   * Calls back with each event whose type matches (`stream.*`, `session.revoked`, `*`), from this node and, with Redis,
   * from the others: at most once, after it is durable. What must not be missed is read from the log.
   */
  subscribe(pattern: string, listener: (event: LogEvent) => void): () => void
  /**
   * The live figures of an actor: written many times a second, merged over all nodes, in the log only now and then.
   * Throws AppError `unknown_type`, `invalid_input`.
   */
  live(type: string, id: number): LiveHandle
  /**
   * Calls back with each figure that changed, here or on another node, merged; changes within a few milliseconds are one.
   * Patterns are of `type.field`: `stream.viewers`, `stream.*`, `*`.
   */
  onLive(pattern: string, listener: (change: LiveChange) => void): () => void
  liveStats(): LiveStats
  health(): Promise<HealthReport>
  /** Finishes what is under way and stops everything the node started. */
  close(): Promise<void>
}

/** Starts a node. Throws AppError; whatever it had started by then is stopped again. */
export async function createNode(options: NodeOptions = {}): Promise<RuntimeNode> {
  const opened: { close(): Promise<void> }[] = []
  const closeAll = async () => {
    // The last started stops first; one that fails to stop keeps none of the others running.
    const failures: unknown[] = []
    for (const part of opened.splice(0).reverse()) await part.close().catch(error => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
  try {
    return await assemble(options, opened, closeAll)
  } catch (error) {
    await closeAll().catch(() => undefined)
    throw error
  }
}

async function assemble(
  options: NodeOptions,
  opened: { close(): Promise<void> }[],
  closeAll: () => Promise<void>,
): Promise<RuntimeNode> {
  const { clock = systemClock, name = os.hostname() } = options
  const entities = withConflicts(options.entities ?? registry)
  const log = options.log ?? createLogger({ level: 'warn', node: name })
  const started = async <Part extends Service>(part: Part): Promise<Part> => {
    opened.push({ close: () => part.stop() })
    await part.start()
    return part
  }

  const tracer = await openTracer({ ...options, clock, name, log }, opened)
  const { store, sealedLog, incarnation, installation, frameKey, projections } = await openLog(
    { ...options, clock, entities, name, log, tracer },
    opened,
  )
  await started(projections)

  const bus: Bus =
    options.redis === undefined
      ? createInProcessBus({ node: name, incarnation, log, ...(options.hub === undefined ? {} : { hub: options.hub }) })
      : createRedisBus({
          url: options.redis,
          ...(options.redisCa === undefined ? {} : { ca: options.redisCa }),
          namespace: installation,
          key: await frameKey(),
          startedAt: await store.head(),
          node: name,
          incarnation,
          clock,
          log,
        })
  await started(bus)

  const outgoing = createFrameBatcher({
    pass: events => {
      const span = tracer?.publish(events)
      const frame = { node: name, incarnation, events }
      bus.publish(span === undefined ? frame : { ...frame, traceparent: span.traceparent })
      span?.ended()
    },
  })
  // Between the two: what the actors commit last still goes out.
  opened.push({ close: async () => outgoing.flush() })

  // Made after the actors, which ask it what to keep before a life ends.
  let live: LiveState | undefined
  const journal = await openOwnJournal({ ...options, log }, opened)
  const actors = await started(
    createActorSystem({
      store,
      entities,
      clock,
      log,
      link: bus,
      holder: `${name}#${incarnation}#${randomUUID()}`,
      before: (actor, eventType) => live?.before(actor, eventType) ?? [],
      ...(tracer === undefined ? {} : { tracer }),
      ...(journal === undefined ? {} : { outage: { journal, node: name, incarnation } }),
      readTables: {
        find: async (table, column, value, position) => {
          await projections.caughtUp(position)
          return projections.find(table, column, value)
        },
      },
    }),
  )

  const liveState = await started(
    createLiveState({
      ...{ node: name, incarnation, bus, clock, log, entities },
      state: actor => actors.actor(actor).state(),
      send: (actor, event, sendOptions) => actors.actor(actor).send(event, sendOptions),
    }),
  )
  live = liveState

  const audit = await started(
    createAuditor({ sealedLog, clock, log, withLease: (lease, ttlMs, work) => actors.withLease(lease, ttlMs, work) }),
  )

  const legacy =
    options.legacyRedis === true
      ? createBridge({ ...options, name, clock, log, installation, store, actors, projections })
      : undefined
  if (legacy !== undefined) await started(legacy)

  const topics = createTopics<LogEvent>({ log })
  const tell = (events: readonly LogEvent[]) => {
    legacy?.wake()
    liveState.heard(events)
    for (const event of events) topics.emit(event.type, event)
  }
  actors.onCommitted(events => {
    outgoing.add(events)
    projections.wake()
    tell(events)
  })
  bus.onFrame(({ events, traceparent }) => {
    const span = traceparent === undefined ? undefined : tracer?.receive(events, traceparent)
    actors.hear(events)
    // Their writer projects them, and has their actors at hand. Where it died, the next look at the log comes by itself.
    tell(events)
    span?.ended()
  })
  bus.onGap(() => projections.wake())

  return {
    name,
    incarnation,
    log: store,
    actors,
    projections,
    audit,
    actor: (type, id) => actors.actor(actorRef(type, id)),
    ...createSnapshotReader({ actors, store }),
    create: (type, event, createOptions) => actors.create(type, event, createOptions),
    subscribe: (pattern, listener) => topics.subscribe(pattern, listener),
    live: (type, id) => liveState.handle(actors.actor(actorRef(type, id)).ref),
    onLive: (pattern, listener) => liveState.onChange(pattern, listener),
    liveStats: () => liveState.stats(),
    health: () => health({ name, clock, store, projections, bus, actors, audit, legacy }),
    close: closeAll,
  }
}

type BridgeOptions = Pick<NodeOptions, 'redis' | 'redisCa'> &
  Required<Pick<NodeOptions, 'name' | 'clock' | 'log'>> &
  Pick<RuntimeNode, 'actors' | 'projections'> &
  Pick<OpenLog, 'store' | 'installation'>

function createBridge(options: BridgeOptions): LegacyBridge {
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
    streamState: id => actors.actor(actorRef('stream', id)).state(),
  })
}

/** What the log cannot take whole is recorded by this entity, whichever others there are. */
function withConflicts(entities: readonly EntityDefinition[]): readonly EntityDefinition[] {
  return entities.some(({ type }) => type === conflict.type) ? entities : [...entities, conflict]
}

async function openOwnJournal(
  { home, database, memory, journalBytes, log }: NodeOptions & { readonly log: Logger },
  opened: { close(): Promise<void> }[],
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
async function openTracer(
  options: NodeOptions & Required<Pick<NodeOptions, 'clock' | 'name' | 'log'>>,
  opened: { close(): Promise<void> }[],
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

interface OpenLog {
  readonly store: EventStore
  readonly sealedLog: SealedLog
  readonly incarnation: number
  readonly projections: Projections
  /** Names the log, so that runtimes on different ones do not hear each other on a shared Redis. */
  readonly installation: string
  /** Asked for only where frames leave the process. */
  readonly frameKey: () => Promise<KeyObject>
}

type OpenOptions = NodeOptions &
  Required<Pick<NodeOptions, 'clock' | 'entities' | 'name' | 'log'>> & { readonly tracer: Tracer | undefined }

async function openLog(options: OpenOptions, opened: { close(): Promise<void> }[]): Promise<OpenLog> {
  const { clock, entities, name, log, tracer } = options
  if (options.memory) {
    const memory = createMemoryLog()
    const store = createMemoryEventStore({ node: name, clock, log: memory })
    return {
      store,
      sealedLog: createMemorySealedLog(memory),
      incarnation: store.incarnation,
      projections: createMemoryProjections({ store, entities }),
      installation: store.installation,
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
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  })
  opened.push({ close: () => store.close() })
  const projections = createProjections({ store, pool: store.pool, entities, clock, log, tracer })
  const { incarnation, installation } = store
  const sealedLog = createPgSealedLog(store.pool)
  return { store, sealedLog, incarnation, projections, installation, frameKey: () => readFrameKey(store.pool) }
}
