/** The composition root: puts the engines of a node together, starts them in order and stops them in reverse. */
import { randomUUID } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import type { ActorHandle, ActorSystem } from './actors/api.ts'
import type { CommandOptions } from './actors/command.ts'
import { createActorSystem } from './actors/system.ts'
import { type Auditor, createAuditor } from './audit/auditor.ts'
import type { LogEvent } from './core/event.ts'
import { actorRef } from './core/ids.ts'
import type { Bus, Clock, EventStore, Logger, SealedLog, Service } from './core/ports.ts'
import type { CommandResult } from './core/result.ts'
import type { Tracer } from './core/tracing.ts'
import { startPostgres } from './embedded/postgres.ts'
import { createMemoryEventStore, createMemoryLog } from './eventstore/memory-event-store.ts'
import { createMemorySealedLog } from './eventstore/memory-sealed-log.ts'
import { migrate } from './eventstore/migrate.ts'
import { createPgEventStore } from './eventstore/pg-event-store.ts'
import { createPgSealedLog } from './eventstore/sealed-log.ts'
import { type HealthReport, health } from './health.ts'
import { createLogger } from './logging.ts'
import type { EntityDefinition, OutgoingEvent } from './machines/define.ts'
import { entities as registry } from './machines/index.ts'
import { createMemoryProjections } from './projections/memory-projections.ts'
import { createProjections, type Projections } from './projections/projections.ts'
import { createFrameBatcher } from './sync/frame-batcher.ts'
import { createInProcessBus } from './sync/in-process-bus.ts'
import { createTopics } from './sync/patterns.ts'
import { createRedisBus } from './sync/redis-bus.ts'
import { systemClock } from './system-clock.ts'
import type { TracerProvider, TracingOptions } from './tracing/tracing-options.ts'

export interface NodeOptions {
  /** `postgres://…`. Without it the node brings a Postgres of its own, with its data under `home`. */
  readonly database?: string
  /** `redis://…` or `rediss://…`. Without it events reach only the subscribers in this process. */
  readonly redis?: string
  /** PEM file of the authority that signed the Redis server's certificate. */
  readonly redisCa?: string
  /** Directory for the embedded Postgres, default `.rootstream` in the working directory. */
  readonly home?: string
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

export interface RuntimeNode {
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
  const { clock = systemClock, entities = registry, name = os.hostname() } = options
  const log = options.log ?? createLogger({ level: 'warn', node: name })
  const started = async <Part extends Service>(part: Part): Promise<Part> => {
    opened.push({ close: () => part.stop() })
    await part.start()
    return part
  }

  const tracer = await openTracer({ ...options, clock, name, log }, opened)
  const { store, sealedLog, incarnation, installation, projections } = await openLog(
    { ...options, clock, entities, name, log, tracer },
    opened,
  )
  await started(projections)

  const bus: Bus =
    options.redis === undefined
      ? createInProcessBus({ node: name, incarnation, log })
      : createRedisBus({
          url: options.redis,
          ...(options.redisCa === undefined ? {} : { ca: options.redisCa }),
          namespace: installation,
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

  const actors = await started(
    createActorSystem({
      store,
      entities,
      clock,
      log,
      holder: `${name}#${incarnation}#${randomUUID()}`,
      ...(tracer === undefined ? {} : { tracer }),
      readTables: {
        find: async (table, column, value, position) => {
          await projections.caughtUp(position)
          return projections.find(table, column, value)
        },
      },
    }),
  )

  const audit = await started(
    createAuditor({ sealedLog, clock, log, withLease: (lease, ttlMs, work) => actors.withLease(lease, ttlMs, work) }),
  )

  const topics = createTopics<LogEvent>({ log })
  const tell = (events: readonly LogEvent[]) => {
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
    create: (type, event, createOptions) => actors.create(type, event, createOptions),
    subscribe: (pattern, listener) => topics.subscribe(pattern, listener),
    health: () => health({ name, clock, store, projections, bus, actors, audit }),
    close: closeAll,
  }
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
  const store = await createPgEventStore({ url, node: name, clock, log, tracer })
  opened.push({ close: () => store.close() })
  const projections = createProjections({ store, pool: store.pool, entities, clock, log, tracer })
  const { incarnation, installation } = store
  return { store, sealedLog: createPgSealedLog(store.pool), incarnation, projections, installation }
}
