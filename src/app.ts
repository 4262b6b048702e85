/** The composition root: puts the engines of a node together, starts them in order and stops them in reverse. */
import { randomUUID } from 'node:crypto'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { checkedSettings } from './accounts/checked-settings.ts'
import { tellOwners } from './accounts/notices.ts'
import { createSessionSweep } from './accounts/session-sweep.ts'
import type { ActorHandle, ActorSystem, OutageStatus } from './actors/api.ts'
import type { CommandOptions } from './actors/command.ts'
import { createActorSystem } from './actors/system.ts'
import { type Auditor, createAuditor } from './audit/auditor.ts'
import type { KeyKeeper } from './auth/key-keeper.ts'
import { checkedOptions } from './checked-options.ts'
import type { LogEvent } from './core/event.ts'
import { actorRef } from './core/ids.ts'
import { sealedPart } from './core/personal.ts'
import type { Bus, EventStore, Service } from './core/ports.ts'
import type { CommandResult } from './core/result.ts'
import { type HealthReport, health } from './health.ts'
import type { LiveHandle, LiveState, LiveStats } from './live/api.ts'
import type { LiveChange } from './live/changes.ts'
import { createLiveState } from './live/live-state.ts'
import { createLogger } from './logging.ts'
import { conflict } from './machines/conflict/index.ts'
import type { EntityDefinition, OutgoingEvent } from './machines/define.ts'
import { entities as registry } from './machines/index.ts'
import { ERASURE_END } from './machines/user/events.ts'
import { createKeys, openAccountPorts } from './node-accounts.ts'
import { openLog } from './node-log.ts'
import type { NodeOptions } from './node-options.ts'
import { createBridge, openOwnJournal, openTracer } from './node-parts.ts'
import { createInOrder } from './privacy/in-order.ts'
import { sealedExchange } from './privacy/sealed-exchange.ts'
import type { Projections } from './projections/projections.ts'
import { createSnapshotReader, type SnapshotReader } from './snapshots/read-snapshots.ts'
import { createFrameBatcher } from './sync/frame-batcher.ts'
import { createInProcessBus } from './sync/in-process-bus.ts'
import { createTopics } from './sync/patterns.ts'
import { createRedisBus } from './sync/redis-bus.ts'
import { createUnheardNodes } from './sync/unheard-nodes.ts'
import { systemClock } from './system-clock.ts'
import { createTentativeExchange } from './tentative/exchange.ts'

export interface RuntimeNode extends SnapshotReader {
  readonly name: string
  readonly incarnation: number
  readonly log: EventStore
  readonly actors: ActorSystem
  readonly projections: Projections
  readonly audit: Auditor
  /** Users and their sessions, factors and devices. */
  readonly accounts: Accounts
  /** The key ring that secrets of accounts are sealed under. */
  readonly keys: KeyKeeper
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
  given: NodeOptions,
  opened: { close(): Promise<void> }[],
  closeAll: () => Promise<void>,
): Promise<RuntimeNode> {
  const options = checkedOptions(given)
  const { clock = systemClock, name } = options
  const settings = checkedSettings(options.accounts)
  const entities = withConflicts(options.entities ?? registry)
  const log = options.log ?? createLogger({ level: 'warn', node: name })
  const started = async <Part extends Service>(part: Part): Promise<Part> => {
    opened.push({ close: () => part.stop() })
    await part.start()
    return part
  }

  const tracer = await openTracer({ ...options, clock, name, log }, opened)
  const openedLog = await openLog({ ...options, clock, entities, name, log, tracer }, opened)
  const { store, sealedLog, incarnation, register, installation, frameKey, projections, personalKeys } = openedLog
  await started(projections)

  const unheard =
    options.redis === undefined && options.hub === undefined
      ? await started(createUnheardNodes({ others: () => register.others(), clock, log }))
      : undefined
  const bus: Bus =
    options.redis === undefined
      ? createInProcessBus({
          ...{ node: name, incarnation, log, unheard: () => unheard?.names() ?? [] },
          ...(options.hub === undefined ? {} : { hub: options.hub }),
        })
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
      // Personal data leaves the node as the log has it.
      const frame = { node: name, incarnation, events: store.sealed(events) }
      bus.publish(span === undefined ? frame : { ...frame, traceparent: span.traceparent })
      span?.ended()
    },
  })
  // Between the two: what the actors commit last still goes out.
  opened.push({ close: async () => outgoing.flush() })

  // Made after the actors, which ask it what to keep before a life ends.
  let live: LiveState | undefined
  const exchangeBus = sealedExchange(bus, openedLog.openedKeys.ring)
  let outage: (() => OutageStatus | undefined) | undefined
  const tentatives = await started(
    createTentativeExchange({
      ...{ node: name, incarnation, bus: exchangeBus, clock, entities },
      ceiling: () => Date.parse(outage?.()?.clock.ceiling ?? '') || undefined,
    }),
  )
  const journal = await openOwnJournal({ ...options, log }, opened)
  const actors = await started(
    createActorSystem({
      store,
      entities,
      clock,
      log,
      link: bus,
      holder: `${name}#${incarnation}#${randomUUID()}`,
      destroyPersonalKey: async user => {
        await personalKeys.destroy(user)
        await projections.dropAbandonedRebuild()
      },
      before: (actor, eventType) => live?.before(actor, eventType) ?? [],
      ...(tracer === undefined ? {} : { tracer }),
      tentatives,
      ...(journal === undefined
        ? {}
        : { outage: { journal, node: name, incarnation, register, leaseMs: options.clockLeaseMs } }),
      readTables: {
        find: async (table, column, value, position) => {
          await projections.caughtUp(position)
          return projections.find(table, column, value)
        },
      },
    }),
  )

  outage = () => actors.outage()

  const liveState = await started(
    createLiveState({
      ...{ node: name, incarnation, bus, clock, log, entities },
      state: actor => actors.actor(actor).state({ logged: true }),
      isLogAway: () => actors.outage()?.away === true,
      isAlone: async () => (await register.others()).length === 0,
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

  const accountPorts = await openAccountPorts(
    { ...options, clock, log, name },
    settings,
    { ...openedLog, actors, projections, bus, liveState },
    opened,
    started,
  )
  const accounts = createAccounts(accountPorts)
  if (actors.entities.has('session')) await started(createSessionSweep(accountPorts))

  const keys = createKeys({ ...openedLog, actors, clock, log })

  const topics = createTopics<LogEvent>({ log })
  const heard = (events: readonly LogEvent[]) => {
    legacy?.wake()
    liveState.heard(events)
  }
  const isSealed = ({ data }: LogEvent) => sealedPart(data) !== undefined
  const tell = (events: readonly LogEvent[]) => {
    // One that is sealed still was opened for nobody, as nobody listened when it came.
    for (const event of events) if (!isSealed(event)) topics.emit(event.type, event)
  }
  const tellOpened = createInOrder<readonly LogEvent[]>({
    ready: events => !events.some(event => isSealed(event) && topics.wants(event.type)),
    make: events => store.opened(events),
    pass: tell,
    failed: error =>
      log.warn({ error: String(error) }, 'events of another node could not be opened, and are told to nobody here'),
  })
  actors.onCommitted(events => {
    outgoing.add(events)
    projections.wake()
    heard(events)
    tell(events)
    tellOwners(accountPorts, events)
  })
  bus.onFrame(({ events, traceparent }) => {
    const span = traceparent === undefined ? undefined : tracer?.receive(events, traceparent)
    for (const { type, actorId } of events) if (type === ERASURE_END) personalKeys.destroyed(actorId)
    const open = store.openNow(events)
    actors.hear(open)
    // Their writer projects them, and has their actors at hand.
    projections.heard(events.at(-1)?.position ?? 0)
    heard(open)
    tellOpened(open)
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
    accounts,
    keys,
    actor: (type, id) => actors.actor(actorRef(type, id)),
    ...createSnapshotReader({ actors, store }),
    create: (type, event, createOptions) => actors.create(type, event, createOptions),
    subscribe: (pattern, listener) => topics.subscribe(pattern, listener),
    live: (type, id) => liveState.handle(actors.actor(actorRef(type, id)).ref),
    onLive: (pattern, listener) => liveState.onChange(pattern, listener),
    liveStats: () => liveState.stats(),
    health: () => health({ name, clock, store, projections, bus, actors, audit, accounts, keys, legacy }),
    close: closeAll,
  }
}

/** What the log cannot take whole is recorded by this entity, whichever others there are. */
function withConflicts(entities: readonly EntityDefinition[]): readonly EntityDefinition[] {
  return entities.some(({ type }) => type === conflict.type) ? entities : [...entities, conflict]
}
