/** Hosts the actors of a node: finds or loads them, routes commands, runs their timers and effects, and lets idle ones go. */
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, actorRef, formatActorRef } from '../core/ids.ts'
import type { Clock, EventStore, Lease, Logger, TimerSet } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import { formatStateValue } from '../core/state.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import type { TentativeStats } from '../tentative/api.ts'
import { Actor } from './actor.ts'
import { ActorTable } from './actor-table.ts'
import type { ActorHandle, ActorSystem, ActorSystemOptions, KnownState, OutageStatus } from './api.ts'
import type { CommandOptions } from './command.ts'
import { Dispatch } from './dispatch.ts'
import { EffectRunner } from './effects.ts'
import { maxStaleOf } from './freshness.ts'
import { watchLink } from './link-watch.ts'
import { type Loaded, loadAt, viewOf } from './load.ts'
import { Outage } from './outage.ts'
import { Ownership } from './ownership.ts'
import { parsePoint, parseRange } from './points.ts'
import type { ActorLimits, ActorPorts } from './ports.ts'
import { Snapshots } from './snapshots.ts'
import { TimerService } from './timers.ts'
import { Turns } from './turns.ts'

const DEFAULT_LIMITS: ActorLimits = { mailbox: 1_000, effects: 32 }
const SWEEP_MS = 10_000
/** Twice what the log takes in a batch: one batch on its way while the next is decided. */
const TURNS = 2_000

export function createActorSystem(options: ActorSystemOptions): ActorSystem {
  return new HostedActors(options)
}

class HostedActors implements ActorSystem {
  readonly entities: ReadonlyMap<string, EntityDefinition>
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #log: Logger
  readonly #actors = new ActorTable()
  readonly #listeners = new Set<(events: readonly LogEvent[]) => void>()
  readonly #snapshots: Snapshots
  readonly #ownership: Ownership
  readonly #effects: EffectRunner
  readonly #timers: TimerService
  readonly #outage: Outage | undefined
  readonly #ports: ActorPorts
  readonly #dispatch: Dispatch
  #cancelSweep: (() => void) | undefined

  constructor({
    store,
    entities,
    clock,
    log,
    holder,
    readTables,
    destroyPersonalKey,
    link,
    limits,
    outage,
    tentatives,
    tracer,
    before,
  }: ActorSystemOptions) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#snapshots = new Snapshots(store, log)
    this.entities = new Map(entities.map(entity => [entity.type, entity]))
    const bounds = { ...DEFAULT_LIMITS, ...limits }
    this.#dispatch = new Dispatch({
      store,
      log,
      tracer,
      before,
      entities: this.entities,
      entity: type => this.#entity(type),
      find: (entity, ref) => this.#find(entity, ref),
    })
    this.#ownership = new Ownership({ store, clock, log, holder })
    this.#effects = new EffectRunner(
      {
        store,
        clock,
        log,
        readTables,
        destroyPersonalKey,
        entity: type => this.#entity(type),
        send: (ref, event, sendOptions) => this.#dispatch.send(ref.type, ref, event, sendOptions, true),
        create: (type, event, createOptions) => this.#dispatch.send(type, undefined, event, createOptions, true),
        state: ref => this.#find(this.#entity(ref.type), ref).current(0, true),
      },
      bounds.effects,
    )
    this.#timers = new TimerService({
      store,
      clock,
      log,
      fire: async ({ actor }, event, commandId) =>
        void (await this.#dispatch.send(actor.type, actor, event, { commandId }, true)),
      startEffect: timer => this.#effects.start(timer),
    })
    this.#outage =
      outage &&
      new Outage(outage, {
        store,
        clock,
        log,
        restore: (ref, entry) => {
          tentatives?.restored(entry)
          this.#find(this.#entity(ref.type), ref).restore(entry)
        },
        drain: ref => this.#find(this.#entity(ref.type), ref).drain(),
      })
    this.#ports = {
      store,
      clock,
      log,
      limits: bounds,
      ownership: this.#ownership,
      turns: new Turns(TURNS),
      link: watchLink(link),
      traced: tracer !== undefined,
      outage: this.#outage,
      tentatives,
      committed: (events, timers) => this.#committed(events, timers),
      snapshot: (actor, snapshot) => this.#snapshots.save(actor, snapshot),
      startEffect: timer => this.#effects.start(timer),
    }
  }

  async start(): Promise<void> {
    this.#ownership.start()
    // Before the timers: what was accepted earlier comes before what is due now.
    await this.#outage?.start()
    this.#timers.start()
    this.#planSweep()
  }

  async stop(): Promise<void> {
    this.#dispatch.stop()
    this.#cancelSweep?.()
    await this.#timers.stop()
    await this.#outage?.stop()
    await this.#effects.stop()
    await Promise.all([...this.#actors].map(actor => actor.settled()))
    await this.#snapshots.saved()
    await this.#ownership.stop()
    this.#ports.link.stop()
    this.#actors.clear()
  }

  actor(given: ActorRef): ActorHandle {
    const ref = actorRef(given.type, given.id)
    const entity = this.#entity(ref.type)
    if (ref.id > entity.maxId) throw new AppError('invalid_input', `An id of ${ref.type} is at most ${entity.maxId}.`)
    return {
      ref,
      send: (event, options = {}) => this.#dispatch.send(ref.type, ref, event, options, false),
      state: async (within = {}) =>
        viewOf(entity, ref, await this.#find(entity, ref).current(maxStaleOf(within), within.logged)),
      known: maxStaleMs => knownState(this.#actors.get(ref)?.recall(maxStaleOf({ maxStaleMs }))),
      remembered: () => knownState(this.#actors.get(ref)?.remembered),
      stateAt: async point => viewOf(entity, ref, await loadAt(this.#ports, entity, ref, parsePoint(point))),
      history: range => this.#store.readStream(ref, parseRange(range)),
    }
  }

  create(type: string, event: OutgoingEvent, options: CommandOptions = {}): Promise<CommandResult> {
    return this.#dispatch.send(type, undefined, event, options, false)
  }

  hear(events: readonly LogEvent[]): void {
    this.#ports.tentatives?.logged(events)
    for (const event of events) this.#actors.get({ type: event.actorType, id: event.actorId })?.hear(event)
  }

  onCommitted(listener: (events: readonly LogEvent[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  withLease<Result>(
    name: string,
    ttlMs: number,
    work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result | undefined> {
    return this.#ownership.withLease(name, ttlMs, work)
  }

  stats(): { active: number; queued: number; effects: number } {
    let active = 0
    let queued = 0
    for (const actor of this.#actors) {
      active++
      queued += actor.queued
    }
    return { active, queued, effects: this.#effects.pending }
  }

  tentatives(): TentativeStats | undefined {
    return this.#ports.tentatives?.stats()
  }

  outage(): OutageStatus | undefined {
    return this.#outage?.status()
  }

  effectsIdle(): Promise<void> {
    return this.#effects.idle()
  }

  #entity(type: string): EntityDefinition {
    const entity = this.entities.get(type)
    if (entity !== undefined) return entity
    throw new AppError(
      'unknown_type',
      `There is no entity '${type}'. There are: ${[...this.entities.keys()].join(', ')}.`,
    )
  }

  #find(entity: EntityDefinition, ref: ActorRef): Actor {
    const known = this.#actors.get(ref)
    if (known !== undefined) return known
    const actor = new Actor(entity, ref, this.#ports)
    this.#actors.add(actor)
    return actor
  }

  #committed(events: readonly LogEvent[], timers: readonly TimerSet[]): void {
    for (const timer of timers) this.#timers.expect(timer.dueAt)
    for (const listener of this.#listeners)
      try {
        listener(events)
      } catch (error) {
        this.#log.error({ error: String(error) }, 'a listener of committed events threw')
      }
  }

  #planSweep(): void {
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => {
      void this.#sweep().finally(() => this.#planSweep())
    })
  }

  /** Lets go of actors that nobody used for a while; the log brings them back. */
  async #sweep(): Promise<void> {
    const now = this.#clock.now()
    this.#ports.tentatives?.sweep((type, id) => this.#actors.get({ type, id }) !== undefined)
    for (const actor of this.#actors) {
      const entity = this.#entity(actor.ref.type)
      if (!actor.idle || actor.pending > 0 || now - actor.lastUsed < entity.passivateAfterMs) continue
      this.#actors.delete(actor.ref)
      if (entity.singleOwner)
        await this.#ownership
          .release(actor.ref)
          .catch(error =>
            this.#log.warn(
              { actor: formatActorRef(actor.ref), error: String(error) },
              'lease not released; it ends by itself',
            ),
          )
    }
  }
}

function knownState(loaded: Loaded | undefined): KnownState | undefined {
  if (loaded === undefined) return undefined
  const { version, state } = loaded
  return { version, state: formatStateValue(state.value), context: state.context }
}
