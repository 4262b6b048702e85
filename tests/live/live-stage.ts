/** Nodes of one process on one log and one bus, with a clock that stands still: what the suites of live figures stand on. */
import { afterEach, beforeEach } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import { AppError } from '../../src/core/errors.ts'
import type { LogEvent } from '../../src/core/event.ts'
import { type ActorId, actorRef } from '../../src/core/ids.ts'
import type { Bus } from '../../src/core/ports.ts'
import { createMemoryEventStore, createMemoryLog, type MemoryLog } from '../../src/eventstore/memory-event-store.ts'
import type { LiveHandle, LiveState, LiveStateOptions } from '../../src/live/api.ts'
import { createLiveState } from '../../src/live/live-state.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { createInProcessBus, createInProcessHub, type InProcessHub } from '../../src/sync/in-process-bus.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

export interface LiveStageNode {
  readonly actors: ActorSystem
  readonly live: LiveState
  stream(id: number): LiveHandle
  /** Frames of live figures reach it and leave it no more, or again. */
  cut(isCut: boolean): void
  /** Its log cannot be read, or can again. */
  blind(isBlind: boolean): void
  /** Sets its clock, by so much more or less than that of the stage; its timers are as they were. */
  setClock(ms: number): void
  /** Gone without a word. */
  kill(): Promise<void>
  /** In good order. */
  stop(): Promise<void>
}

type StageOptions = Pick<LiveStateOptions, 'maxActors' | 'isAlone' | 'isLogAway'>

export interface LiveStage {
  readonly clock: ManualClock
  startNode(name: string, options?: StageOptions): Promise<LiveStageNode>
  /** A stream that is live. */
  liveStream(on: LiveStageNode): Promise<number>
  history(id: number, type?: string): readonly LogEvent[]
  /** Says something on the bus in the name of a node. */
  say(node: string, payload: object): Promise<void>
  /** Moves time on in small steps and lets the work of each go on. */
  pass(ms: number, stepMs?: number): Promise<void>
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Set up before each test of the suite it is called in, and taken down after it. */
export function openLiveStage(): LiveStage {
  let clock: ManualClock
  let log: MemoryLog
  let hub: InProcessHub
  let started: LiveStageNode[] = []
  let names = 0
  beforeEach(() => {
    clock = createManualClock()
    log = createMemoryLog()
    hub = createInProcessHub()
    started = []
  })
  afterEach(async () => {
    for (const node of started) await node.stop()
  })

  async function startNode(name: string, options: StageOptions = {}): Promise<LiveStageNode> {
    const store = createMemoryEventStore({ node: name, clock, log })
    const { incarnation } = store
    const real = createInProcessBus({ node: name, incarnation, log: silentLogger, hub })
    let isCut = false
    let isBlind = false
    let ahead = 0
    const own = { now: () => clock.now() + ahead, after: clock.after }
    const bus: Bus = {
      ...{ start: real.start, stop: real.stop, publish: real.publish, onFrame: real.onFrame, onGap: real.onGap },
      ...{ publishTentative: real.publishTentative, onTentative: real.onTentative },
      ...{ stats: real.stats, warnings: real.warnings },
      get healthy() {
        return !isCut
      },
      get hearsAll() {
        return !isCut
      },
      publishLive: json => void (isCut || real.publishLive(json)),
      onLive: listener => real.onLive(frame => void (isCut || listener(frame))),
    }
    await bus.start()
    let live: LiveState | undefined
    const actors = createActorSystem({
      ...{ store, entities, clock, log: silentLogger, holder: `${name}#${incarnation}` },
      before: (actor, type) => live?.before(actor, type) ?? [],
    })
    await actors.start()
    const state = createLiveState({
      ...{ node: name, incarnation, bus, clock: own, log: silentLogger, entities, ...options },
      state: async actor => {
        if (isBlind) throw new AppError('log_unavailable', 'The log is away.')
        return actors.actor(actor).state()
      },
      send: (actor, event, sendOptions) => actors.actor(actor).send(event, sendOptions),
    })
    live = state
    await state.start()
    actors.onCommitted(events => {
      bus.publish({ node: name, incarnation, events })
      state.heard(events)
    })
    bus.onFrame(({ events }) => {
      actors.hear(events)
      state.heard(events)
    })
    const node: LiveStageNode = {
      ...{ actors, live: state },
      stream: id => state.handle(actorRef('stream', id)),
      cut: wanted => {
        isCut = wanted
      },
      blind: wanted => {
        isBlind = wanted
      },
      setClock: ms => {
        ahead = ms
      },
      kill: async () => {
        isCut = true
        await bus.stop()
      },
      stop: async () => {
        await state.stop()
        await actors.stop()
        await bus.stop()
        await store.close()
      },
    }
    started.push(node)
    await settle()
    return node
  }
  return {
    get clock() {
      return clock
    },
    startNode,
    async liveStream(on) {
      names++
      const user = await on.actors.create('user', {
        ...{ type: 'user.registered', username: `u${names}`, email: `u${names}@example.org`, passwordHash: 'x' },
      })
      if (!user.ok) throw new Error(user.reason)
      const created = await on.actors.create('stream', {
        ...{ type: 'stream.created', userId: user.actor.id, name: 'x', streamKey: `k${names}` },
      })
      if (!created.ok) throw new Error(created.reason)
      const begun = await on.actors.actor(created.actor).send({ type: 'stream.started' })
      if (!begun.ok) throw new Error(begun.reason)
      await settle()
      return created.actor.id
    },
    history: (id, type = 'stream') => log.streams.get(`${type}/${id as ActorId}`) ?? [],
    async say(node, payload) {
      const bus = createInProcessBus({ node, incarnation: 99, log: silentLogger, hub })
      await bus.start()
      bus.publishLive(JSON.stringify(payload))
      await settle()
      await bus.stop()
    },
    async pass(ms, stepMs = 500) {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(stepMs, left))
        await settle()
      }
    },
  }
}
